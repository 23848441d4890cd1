/** Text as it stands in HTML and SVG. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

/** A time in milliseconds as people read it. */
export function seconds(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`
  const rest = Math.round((milliseconds % 60_000) / 1000)
  return `${Math.floor(milliseconds / 60_000)} min${rest === 0 ? '' : ` ${rest} s`}`
}
