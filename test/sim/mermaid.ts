import type { TraceLine } from './trace.ts'

/** A sequence diagram for Mermaid of what happened in a window of time. */
export function sequenceDiagram(lines: readonly TraceLine[], ids: readonly string[]): string {
  const told = lines.filter(({ who }) => ids.includes(who) || who === '!')
  const parts = ['sequenceDiagram', ...ids.map((id) => `  participant ${id}`)]
  for (const { at, who, to, what } of told) {
    const text = `${(at / 1000).toFixed(3)} s: ${escaped(what)}`
    if (to !== undefined) parts.push(`  ${who}->>${to}: ${text}`)
    else if (who === '!') parts.push(`  Note over ${ids[0]},${ids[ids.length - 1]}: ${text}`)
    else if (!what.startsWith('←')) parts.push(`  Note over ${who}: ${text}`)
  }
  return parts.join('\n') + '\n'
}

/** Mermaid takes a semicolon or a number sign for the end of a statement. */
function escaped(text: string): string {
  return text.replaceAll(/[;#]/g, ',').replaceAll('\n', ' ')
}
