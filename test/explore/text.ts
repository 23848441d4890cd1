import { styleText } from 'node:util'

export type Colour = 'bold' | 'dim' | 'green' | 'yellow' | 'cyan' | 'inverse'

/** Puts a colour on text, or leaves it alone. */
export type Paint = (colour: Colour, text: string) => string

/** For a terminal. */
export const paint: Paint = (colour, text) => styleText(colour, text, { validateStream: false })

/** For everything else. */
export const plain: Paint = (_colour, text) => text

/** Breaks text between words into lines of `width` at most; all but the first begin with `indent`. */
export function wrap(text: string, width: number, indent = ''): string[] {
  const lines: string[] = []
  let line = ''
  let empty = true
  for (const word of text.split(' ')) {
    let rest = word
    if (!empty && line.length + 1 + rest.length > width) {
      lines.push(line)
      line = indent
      empty = true
    }
    // A word that no line can hold is broken.
    while (line.length + rest.length > width && line.length < width) {
      const room = width - line.length
      if (!empty) break
      lines.push(line + rest.slice(0, room))
      rest = rest.slice(room)
      line = indent
    }
    line = empty ? line + rest : `${line} ${rest}`
    empty = false
  }
  return [...lines, line]
}

/** Exactly `width` characters: filled with blanks, or cut and marked as cut. */
export function fit(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width)
}
