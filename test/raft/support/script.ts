import { Cluster } from './cluster.ts'
import { command } from './entries.ts'
import { describeMessage, describeServer, Narrator } from './narrate.ts'
import {
  parseCommand,
  parseFound,
  parseNumber,
  parseOptions,
  parseWhich,
  ScriptError,
} from './script-words.ts'
import type { Message, NodeId } from '../../../src/raft/types.ts'
import type { Found } from './cluster.ts'
import type { ModelServer } from './server.ts'

/** The commands of a script, for people who write one. */
export const COMMANDS = `
found ID [TERM …] [term T]   what ID finds on disk: a log, as terms; before \`cluster\`
cluster N [OPTION=NUMBER …]  starts n1 to nN; options are those of the core
tick ID [N]                  time passes for ID
timeout ID                   time passes for ID until it campaigns
pass [N]                     time passes for all, messages run after each tick
deliver [WHICH]              the messages that wait now arrive, in order
run [WHICH]                  messages arrive until none waits
drop [WHICH]                 messages get lost
pool                         what waits in the network
cut ID ID, isolate ID, heal  links fail, and come back
propose ID COMMAND           a client writes: set KEY VALUE, delete KEY
read ID NUMBER               a client reads
hold ID, persist ID [N]      its disk stands still; the first N writes reach it
resume ID                    its disk works again
crash ID [N], restart ID     it loses what is not on disk (N waiting writes get there)
show [ID …]                  how servers stand
WHICH: FROM->TO (either may be left out), and a type of message
`

/**
 * A small cluster driven by lines of text. `execute` takes one line and says what every server did: a golden
 * test runs a file of them, an interactive explorer one at a time.
 */
export class Script {
  readonly #found: Record<NodeId, Found> = {}
  readonly #narrator: Narrator
  #cluster: Cluster | undefined

  constructor(narrator = new Narrator()) {
    this.#narrator = narrator
  }

  /** The cluster, once the script has started it. */
  get cluster(): Cluster | undefined {
    return this.#cluster
  }

  /** Executes one command. Returns what happened, in lines. Throws ScriptError for one that makes no sense. */
  execute(line: string): string[] {
    const [verb = '', ...words] = line.trim().split(/\s+/)
    this.#execute(verb, words)
    return this.#narrator.take()
  }

  #execute(verb: string, words: string[]): void {
    const [id = '', count] = words
    switch (verb) {
      case 'found':
        this.#found[id] = parseFound(words.slice(1))
        return
      case 'cluster':
        this.#cluster = new Cluster({
          size: parseNumber(id, 'the number of servers', 1),
          raft: parseOptions(words.slice(1)),
          found: this.#found,
          observer: this.#narrator,
        })
        return
      case 'tick':
        return this.#server(id).tick(parseNumber(count ?? '1', 'the number of ticks'))
      case 'timeout':
        return this.#running().timeout(this.#server(id).id)
      case 'pass':
        return this.#running().pass(parseNumber(words[0] ?? '1', 'the number of ticks'))
      case 'deliver':
        return void this.#running().deliver(parseWhich(words))
      case 'run':
        return this.#running().run(parseWhich(words))
      case 'drop':
        return this.#list('lost: ', this.#running().take(parseWhich(words)))
      case 'pool':
        return this.#list('', this.#running().pool)
      case 'cut':
        return this.#running().cut(this.#server(id).id, this.#server(count).id)
      case 'isolate':
        return this.#running().isolate(this.#server(id).id)
      case 'heal':
        return this.#running().heal()
      case 'propose':
        return void this.#server(id).propose(command(parseCommand(words.slice(1))))
      case 'read':
        return void this.#server(id).step({
          type: 'readIndex',
          id: parseNumber(count, 'the number of the read'),
        })
      case 'hold':
        this.#server(id).auto.persist = false
        return
      case 'persist':
        return this.#server(id).persist(
          count === undefined ? undefined : parseNumber(count, 'the number of writes'),
        )
      case 'resume':
        this.#server(id).auto.persist = true
        return this.#server(id).settle()
      case 'crash':
        return this.#running().crash(this.#server(id).id, parseNumber(count ?? '0', 'the number of writes'))
      case 'restart':
        return this.#narrator.started(this.#running().restart(this.#server(id).id))
      case 'show':
        for (const shown of words.length > 0 ? words : this.#running().ids) {
          this.#narrator.say(describeServer(this.#server(shown)))
        }
        return
      default:
        throw new ScriptError(`there is no command ${verb}; there are:${COMMANDS}`)
    }
  }

  #list(what: string, messages: readonly Message[]): void {
    for (const message of messages) {
      this.#narrator.say(`${what}${message.from} → ${message.to} ${describeMessage(message)}`)
    }
  }

  #running(): Cluster {
    if (this.#cluster === undefined) throw new ScriptError('there is no cluster yet: begin with `cluster 3`')
    return this.#cluster
  }

  #server(id: NodeId | undefined): ModelServer {
    const { ids, servers } = this.#running()
    const server = servers.get(id ?? '')
    if (server === undefined)
      throw new ScriptError(`there is no server ${id ?? '(none is named)'}; there are ${ids.join(', ')}`)
    return server
  }
}

/**
 * Runs a script in which lines that begin with `>` are commands and indented lines what they brought about.
 * Returns it with what they bring about now; all other lines stay as they are. Of a command after `>>` nothing
 * is said: it sets the scene.
 */
export function rerun(text: string): string {
  const script = new Script()
  const lines: string[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('  ')) continue
    lines.push(line)
    if (line.startsWith('>> ')) script.execute(line.slice(3))
    else if (line.startsWith('> ')) lines.push(...script.execute(line.slice(2)).map((said) => `  ${said}`))
  }
  return lines.join('\n')
}
