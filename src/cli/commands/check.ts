import { readFile, writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import {
  checkEvents,
  type CheckResult,
  foreignTo,
  HistoryError,
  type HistoryEvent,
  MODEL_NAMES,
  modelFor,
  type ModelName,
  parseHistory,
  renderHtml,
  renderText,
  type Window,
} from '../../check/index.ts'
import { write } from '../context.ts'
import type { Invocation } from '../context.ts'
import { ExitCode, UsageError } from '../failure.ts'
import { globalOptions } from '../global-options.ts'

interface CheckFlags {
  readonly model?: ModelName
  readonly html?: string
  readonly maxSteps?: number
}

/** `balsa check FILE`: is the recorded history linearizable? Exits with 1 where it is not, or not decided. */
export function addCheck(program: Command, invocation: Invocation): void {
  const command = program
    .command('check')
    .description('tell whether a recorded history is linearizable; exits with 1 if it is not, or undecided')
    .argument('<file>', 'JSON lines, as docs/checking.md says')
    .addOption(
      new Option('--model <name>', 'what was asked (default: told by the operations)').choices(MODEL_NAMES),
    )
    .addOption(new Option('--html <file>', 'write a page with timelines'))
    .addOption(
      new Option('--max-steps <n>', 'give up after so many steps (default: 5 million)').argParser(parseSteps),
    )
  command.action(async (file: string, { model, html, maxSteps }: CheckFlags) => {
    const result = await usable(file, async () => {
      const events = parseHistory(await readFile(file, 'utf8'))
      return checkEvents(events, chooseModel(events, model), maxSteps === undefined ? {} : { maxSteps })
    })
    if (html !== undefined) await usable(html, () => writeFile(html, renderHtml(result, { title: file })))
    const { json } = globalOptions(command, invocation.context.env)
    await write(invocation.context.stdout, json ? `${JSON.stringify(asJson(result))}\n` : renderText(result))
    invocation.exitCode = result.verdict === 'linearizable' ? ExitCode.Ok : ExitCode.NotFound
  })
}

function parseSteps(text: string): number {
  const steps = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(steps) || steps < 1) throw new InvalidArgumentError('Give a whole number from 1.')
  return steps
}

function chooseModel(events: readonly HistoryEvent[], wanted: ModelName | undefined): ModelName {
  const name = wanted ?? modelFor(events)
  if (name === undefined) throw new HistoryError('no model knows all of its operations')
  const foreign = foreignTo(name, events)
  if (foreign !== undefined) throw new HistoryError(`the model ${name} does not know "${foreign}"`)
  return name
}

/** What cannot be read, written or understood is the caller's to put right. */
async function usable<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const isSystem = error instanceof Error && 'syscall' in error
    if (isSystem || error instanceof HistoryError) throw new UsageError(`${file}: ${error.message}`)
    throw error
  }
}

function asJson({ verdict, violations, undecided, operations, keys, steps, model }: CheckResult) {
  const shown = violations.map(({ key, window, explanation }) => ({
    key,
    explanation,
    minimal: window.minimal,
    window: window.operations,
    context: window.context,
    order: window.order.map((operation) => placeIn(window, operation)),
    blocked: placeIn(window, window.blocked),
  }))
  return { verdict, model: model.name, operations, keys, steps, undecided, violations: shown }
}

/** Where an operation stands in a window, its context counted after its own. */
function placeIn(window: Window, operation: Window['blocked']): number {
  return [...window.operations, ...window.context].indexOf(operation)
}
