import { Command } from 'commander'
import { COMMANDS } from '../raft/support/script.ts'
import { ScriptError } from '../raft/support/script-words.ts'
import { record } from './recorder.ts'
import { renderAll, renderScreen } from './screen.ts'
import { findScript, purposeOf, shippedScripts } from './scripts.ts'
import { walk } from './terminal.ts'
import { paint, plain, wrap } from './text.ts'
import type { Frame } from './recorder.ts'

const USAGE = 2
const FALLBACK_WIDTH = 80

interface Flags {
  readonly all?: boolean
  readonly width?: string
}

const program = new Command('npm run explore --')
  .description(
    'Steps through a script of the core: what each server does, and the rule of Raft that it follows.',
  )
  .argument('[script]', 'a golden script, by name or the beginning of it, or the path of one of your own')
  .option('--all', 'print all steps and wait for no keys (so too where there is no terminal)')
  .option('--width <columns>', 'how wide to print, instead of as wide as the terminal')
  .addHelpText('after', `\nCommands of a script:${COMMANDS}`)
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : USAGE))
  .parse()

// Who reads only the beginning (`| head`) has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

const { all = false, width: wanted } = program.opts<Flags>()
const width = Number(wanted ?? process.stdout.columns ?? FALLBACK_WIDTH)
const [named] = program.args
if (!Number.isSafeInteger(width) || width < 20)
  fail(`--width must be a whole number from 20 on, and is ${wanted}`)
else if (named === undefined) list()
else await explore(named)

function fail(message: string): void {
  console.error(message)
  process.exitCode = USAGE
}

function list(): void {
  console.log('npm run explore -- SCRIPT, where SCRIPT is one of these, or a file of your own:\n')
  const directory = process.cwd()
  for (const name of shippedScripts()) {
    console.log(`${name}`)
    for (const line of wrap(`  ${purposeOf(findScript(name, directory).text)}`, width, '  '))
      console.log(line)
  }
}

async function explore(name: string): Promise<void> {
  let script: { name: string; frames: Frame[] }
  try {
    // npm runs in the project's folder, and tells where it was called.
    const found = findScript(name, process.env['INIT_CWD'] ?? process.cwd())
    script = { name: found.name, frames: record(found.text) }
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error
    fail(`${name}: ${error.message}`)
    return
  }
  const { stdin, stdout } = process
  const colours = stdout.isTTY && !process.env['NO_COLOR'] ? paint : plain
  if (all || !stdin.isTTY || !stdout.isTTY) {
    console.log(renderAll(script, width, colours).join('\n'))
    return
  }
  const draw = (at: number, columns: number, rows: number): string[] =>
    renderScreen(script, at, { width: columns, height: rows }, colours)
  await walk(script.frames.length, draw, stdin, stdout)
}
