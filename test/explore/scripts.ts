import { readdirSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { readScript, ScriptError } from '../raft/support/script-words.ts'

/** The golden scripts of the tests. */
const FOLDER = join(import.meta.dirname, '..', 'raft', 'golden')
const EXTENSION = '.golden'
/** Characters; what is shorter says too little. */
const SHORT = 50

export interface ScriptFile {
  /** Its file's name, without `.golden`. */
  readonly name: string
  readonly text: string
}

/** The names of the scripts that come with Balsa: the chapters first. */
export function shippedScripts(): string[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(EXTENSION))
  const names = files.map((file) => basename(file, EXTENSION)).sort()
  const isChapter = (name: string): boolean => name.startsWith('chapter-')
  return [...names.filter(isChapter), ...names.filter((name) => !isChapter(name))]
}

/** What a script is about: the comment that it begins with, as far as a list has room for it. */
export function purposeOf(text: string): string {
  const [comment = ''] = readScript(text).map((command) => command.comment)
  let purpose = ''
  for (const sentence of comment.split(/(?<=\.) /)) {
    if (purpose.length >= SHORT) break
    purpose = `${purpose} ${sentence}`.trimStart()
  }
  return purpose
}

/**
 * Finds a script: one that comes with Balsa, by its name or the beginning of it, or any file, by its path.
 * Throws ScriptError where there is none, or more than one.
 *
 * @param directory where paths begin.
 */
export function findScript(named: string, directory: string): ScriptFile {
  const short = named.endsWith(EXTENSION) ? named.slice(0, -EXTENSION.length) : named
  const shipped = shippedScripts()
  const begun = shipped.includes(short) ? [short] : shipped.filter((name) => name.startsWith(short))
  if (begun.length === 1 && short !== '') {
    const name = begun[0]!
    return { name, text: readFileSync(join(FOLDER, name + EXTENSION), 'utf8') }
  }
  try {
    return { name: basename(named, EXTENSION), text: readFileSync(resolve(directory, named), 'utf8') }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const several = begun.length > 1 ? `, and several begin so: ${begun.join(', ')}` : ''
    const why = code === 'ENOENT' ? 'there is no such script or file' : `it cannot be read (${code})`
    throw new ScriptError(`${why}${several}. Without a name, \`npm run explore\` lists the scripts.`, {
      cause: error,
    })
  }
}
