import { describeMessage, Narrator } from '../raft/support/narrate.ts'
import { Script } from '../raft/support/script.ts'
import { readScript, ScriptError } from '../raft/support/script-words.ts'
import { pictureOf } from './picture.ts'
import { rulesOf, rulesOfCommand } from './rules.ts'
import type { Input, LogEntry, Message, NodeId, Output, Write } from '../../src/raft/types.ts'
import type { Cluster } from '../raft/support/cluster.ts'
import type { ScriptCommand } from '../raft/support/script-words.ts'
import type { ModelServer } from '../raft/support/server.ts'
import type { Picture } from './picture.ts'
import type { Rule } from './rule.ts'

/** What is shown at once: one thing that happened, the rule behind it, and how everything stands after it. */
export interface Frame {
  /** The command of the script; empty while the scene is set. */
  readonly command: string
  /** Which of the things that the command brought about, from 1, and how many they are. */
  readonly part: number
  readonly parts: number
  readonly comment: string
  readonly said: readonly string[]
  readonly rules: readonly Rule[]
  readonly servers: readonly Picture[]
  /** The messages that are on their way. */
  readonly network: readonly string[]
}

type Happening = Pick<Frame, 'said' | 'rules' | 'servers' | 'network'>

/** What a server does in one go: takes an input, gets a write to its disk, applies entries. */
interface Act {
  readonly kind: Input['type'] | 'script'
  readonly server: NodeId | undefined
  readonly said: string[]
  readonly rules: Rule[]
}

/** Commands that only look: what they would say is always in sight. */
const LOOKS: readonly string[] = ['show', 'pool']

/** Listens to a cluster, and keeps what happens in it apart, act by act. */
class Recorder extends Narrator {
  readonly #pictures = new Map<NodeId, Picture>()
  #network = new Set<Message>()
  #cluster: Cluster | undefined
  #happenings: Happening[] = []
  #act: Act = newAct('script', undefined)

  /** What a command of the script brought about. The network and all servers are looked at anew. */
  endCommand(cluster: Cluster | undefined, verb: string): Happening[] {
    this.#cluster = cluster
    for (const server of cluster?.servers.values() ?? []) this.#pictures.set(server.id, pictureOf(server))
    this.#network = new Set(cluster?.pool)
    this.take()
    if (this.#happenings.length === 0) this.#act.rules.push(...rulesOfCommand(verb))
    this.#endAct()
    if (this.#happenings.length === 0) this.#happenings.push(this.#happening())
    const happenings = this.#happenings
    this.#happenings = []
    return happenings
  }

  override say(line: string): void {
    super.say(line)
    this.#act.said.push(line)
  }

  override send(message: Message): void {
    super.send(message)
    if (this.#cluster?.isCut(message.from, message.to) === false) this.#network.add(message)
  }

  override stepped(server: ModelServer, input: Input, output: Output): void {
    // What reached the disk or the state machine has begun its act; the core is told at its end.
    const goesOn = this.#act.kind === input.type && this.#act.server === server.id
    const reports = input.type === 'persisted' || input.type === 'applied'
    if (!(goesOn && reports)) this.#begin(input.type, server.id)
    if (input.type === 'message') this.#network.delete(input.message)
    const before = this.#pictures.get(server.id)
    this.#pictures.set(server.id, pictureOf(server))
    const known = new Set(this.#act.rules.map(({ text }) => text))
    const rules = rulesOf({ before, input, output, after: server.view })
    this.#act.rules.push(...rules.filter(({ text }) => !known.has(text)))
    super.stepped(server, input, output)
    // The first tick reports the role that the server has had all along.
    const idle = input.type === 'tick' && this.#act.rules.length === 0 && server.view.role === before?.role
    if (idle) this.#act.said.length = 0
  }

  override persisted(server: ModelServer, writes: readonly Write[]): void {
    this.#begin('persisted', server.id)
    super.persisted(server, writes)
  }

  override applied(server: ModelServer, entry: LogEntry): void {
    if (this.#act.kind !== 'applied' || this.#act.server !== server.id) this.#begin('applied', server.id)
    super.applied(server, entry)
  }

  #begin(kind: Act['kind'], server: NodeId): void {
    this.#endAct()
    this.#act = newAct(kind, server)
  }

  /** An act that nobody could see is left out: a tick, mostly. */
  #endAct(): void {
    const { said, rules } = this.#act
    if (said.length > 0 || rules.length > 0) this.#happenings.push(this.#happening())
    this.#act = newAct('script', undefined)
  }

  #happening(): Happening {
    const network = [...this.#network].map(
      (message) => `${message.from} → ${message.to} ${describeMessage(message)}`,
    )
    const { said, rules } = this.#act
    return { said, rules, servers: [...this.#pictures.values()], network }
  }
}

function newAct(kind: Act['kind'], server: NodeId | undefined): Act {
  return { kind, server, said: [], rules: [] }
}

/** Runs a whole script and returns what there is to see of it. Throws ScriptError, with the line, where it makes no sense. */
export function record(text: string): Frame[] {
  const recorder = new Recorder()
  const script = new Script(recorder)
  const frames: Frame[] = []
  let scene: string[] = []
  const commands = readScript(text)
  for (const [at, command] of commands.entries()) {
    const verb = command.text.split(/\s+/)[0]!
    execute(script, command)
    const happenings = recorder.endCommand(script.cluster, verb)
    if (command.silent) {
      scene.push(command.text)
      if (commands[at + 1]?.silent) continue
      const said = [`the scene is set: ${scene.join('; ')}`]
      const { comment } = command
      frames.push({ ...happenings.at(-1)!, command: '', part: 1, parts: 1, comment, said, rules: [] })
      scene = []
    } else if (script.cluster !== undefined && !LOOKS.includes(verb)) {
      const parts = happenings.length
      const { text: words, comment } = command
      frames.push(...happenings.map((seen, n) => ({ ...seen, command: words, part: n + 1, parts, comment })))
    }
  }
  if (frames.length === 0)
    throw new ScriptError('nothing happens in it: it has no line that begins with "> "')
  return frames
}

function execute(script: Script, { text, line }: ScriptCommand): void {
  try {
    script.execute(text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ScriptError(`line ${line}, \`${text}\`: ${why}`, { cause: error })
  }
}
