/**
 * What grpc-js says of an error, without what it wraps around it: of "No connection established. Last error: Error:
 * connect ECONNREFUSED 127.0.0.1:1 (2026-…Z). Resolution note: " what happened.
 */
export function plainDetails(details: string): string {
  return details
    .replace(/^No connection established\. Last error: (?:Error: )?/, '')
    .replace(/\. Resolution note:.*$/, '')
    .replace(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)/g, '')
}
