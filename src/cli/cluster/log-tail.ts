import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const TAIL_BYTES = 64 * 1024
/** From here on pino's levels are errors. */
const ERROR_LEVEL = 50

/** The size of a log now: what a node that is started after this writes begins there. */
export function logSize(path: string): number {
  try {
    const file = openSync(path, 'r')
    try {
      return fstatSync(file).size
    } finally {
      closeSync(file)
    }
  } catch {
    return 0
  }
}

/**
 * What a node's log says about its end: the last error among its JSON lines, else the last lines that are none
 * (such as what Node prints of an exception), else nothing.
 * @param from where in the file the lines of this run begin
 */
export function lastError(path: string, from: number): string | undefined {
  const lines = readTail(path, from)
    .split('\n')
    .filter((line) => line.trim() !== '')
  const records = lines.map(parseRecord)
  const error = records.findLast((record) => record !== undefined && record.level >= ERROR_LEVEL)
  if (error) return error.text
  const plain = lines.filter((_, index) => !records[index])
  return plain.length > 0 ? plain.slice(-3).join('\n') : undefined
}

/**
 * How far the start of a node has come, as the last line that its process has logged tells; undefined where that is
 * about something else.
 */
export function startProgress(path: string, pid: number): string | undefined {
  const line = readTail(path, 0).trimEnd().split('\n').at(-1) ?? ''
  try {
    const record = JSON.parse(line) as { pid?: unknown; starting?: unknown; percent?: unknown } | null
    if (record?.pid !== pid || typeof record.starting !== 'string') return undefined
    return `${record.starting}, ${String(record.percent)}%`
  } catch {
    return undefined // half a line, or what Node prints of an exception
  }
}

function readTail(path: string, from: number): string {
  try {
    const file = openSync(path, 'r')
    try {
      const { size } = fstatSync(file)
      const start = Math.max(from, size - TAIL_BYTES)
      const buffer = Buffer.alloc(Math.max(0, size - start))
      return buffer.toString('utf8', 0, readSync(file, buffer, 0, buffer.length, start))
    } finally {
      closeSync(file)
    }
  } catch {
    return ''
  }
}

function parseRecord(line: string): { level: number; text: string } | undefined {
  try {
    const record = JSON.parse(line) as { level?: unknown; msg?: unknown; err?: { message?: unknown } } | null
    if (typeof record?.level !== 'number') return undefined
    const parts = [record.msg, record.err?.message].filter((part) => typeof part === 'string' && part !== '')
    return { level: record.level, text: [...new Set(parts)].join(': ') }
  } catch {
    return undefined
  }
}
