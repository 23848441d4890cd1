/**
 * The terms that a node led, as it says in its log: JSON lines, perhaps with others among them.
 * @param sinceMs lines from before this moment (milliseconds since 1970) do not count: what they tell of may be
 * another cluster's that was here before
 */
export function loggedTerms(log: string, sinceMs: number): Set<number> {
  const terms = new Set<number>()
  for (const line of log.split('\n')) {
    if (!line.includes('"role":"leader"')) continue
    const { time, role, term } = parsed(line)
    if (role !== 'leader' || typeof time !== 'number' || time < sinceMs) continue
    if (typeof term === 'number') terms.add(term)
  }
  return terms
}

/** A line that was cut off when its node was killed says nothing. */
function parsed(line: string): { time?: unknown; role?: unknown; term?: unknown } {
  try {
    return JSON.parse(line) as object
  } catch {
    return {}
  }
}
