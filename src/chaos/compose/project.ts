import { FaultsError } from '../faults-error.ts'
import { runCommand } from './command.ts'
import type { RunCommand } from './command.ts'

/** A compose project that runs, in the words of `docker compose`. */
export interface ComposeOptions {
  /** Compose files; each goes over the ones before it. */
  readonly files: readonly string[]
  /** Its name. Default: the one that the last file with a name has. */
  readonly project?: string
  /** Default: this machine's programs. */
  readonly run?: RunCommand
}

/** One node's container as it is now. */
export interface NodeContainer {
  readonly id: string
  /** The engine's id. */
  readonly container: string
  /** `running`, `paused`, `restarting`, `exited`, … */
  readonly state: string
  /** The process on the engine's machine; 0 where none runs. Another one after every start. */
  readonly pid: number
  /** The exit code of the last process. */
  readonly exitCode: number
  /** Its addresses in the project's networks. Others, perhaps, after every start. */
  readonly addresses: readonly string[]
  /** Where its client port is published on this machine, as `host:port`. */
  readonly published: string | undefined
}

interface Inspected {
  readonly Id: string
  readonly State: { readonly Status: string; readonly Pid: number; readonly ExitCode: number }
  readonly Config: { readonly Labels: Readonly<Record<string, string>>; readonly Env: readonly string[] }
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>>
  }
  readonly HostConfig: {
    readonly PortBindings: Readonly<Record<string, readonly { HostIp: string; HostPort: string }[]>> | null
  }
}

const SERVICE = 'com.docker.compose.service'

/** The project's containers: those whose environment has a `BALSA_ID` are nodes. */
export class ComposeProject {
  readonly #base: readonly string[]
  readonly #run: RunCommand
  #containers: readonly string[] = []

  private constructor({ files, project, run = runCommand }: ComposeOptions) {
    const named = project === undefined ? [] : ['--project-name', project]
    this.#base = ['compose', ...files.flatMap((file) => ['--file', file]), ...named]
    this.#run = run
  }

  /** Looks for its containers, which stay the same ones. Rejects with FaultsError where there are none. */
  static async open(options: ComposeOptions): Promise<ComposeProject> {
    const project = new ComposeProject(options)
    const listed = await project.compose('ps', '--all', '--quiet')
    project.#containers = listed.split('\n').filter((id) => id !== '')
    if (project.#containers.length === 0) {
      throw new FaultsError(
        'the project has no containers: start it with `docker compose up --detach --wait`',
      )
    }
    return project
  }

  /** Runs `docker compose` on it. Rejects with FaultsError. */
  compose(...args: string[]): Promise<string> {
    return this.#run('docker', [...this.#base, ...args])
  }

  /** Runs `docker` on containers by their ids. Rejects with FaultsError. */
  docker(...args: string[]): Promise<string> {
    return this.#run('docker', args)
  }

  /** Runs a program in the network of a process, which takes root: by `sudo` where we are not. */
  inNetworkOf(pid: number, program: string, args: readonly string[], input?: string): Promise<string> {
    const inside = ['nsenter', '--target', String(pid), '--net', program, ...args]
    const [first = '', ...rest] = process.getuid?.() === 0 ? inside : ['sudo', '--non-interactive', ...inside]
    return this.#run(first, rest, input)
  }

  /** Every node, running or not, in the order of their names. Rejects with FaultsError where there are none. */
  async nodes(): Promise<NodeContainer[]> {
    const said = await this.docker('inspect', '--type', 'container', ...this.#containers)
    const nodes = (JSON.parse(said) as Inspected[]).flatMap((container) => nodeOf(container) ?? [])
    if (nodes.length === 0) throw new FaultsError('no container of the project has a BALSA_ID')
    return nodes.sort((one, other) => one.id.localeCompare(other.id, 'en', { numeric: true }))
  }

  /** Whether a service of this name runs. */
  async isRunning(service: string): Promise<boolean> {
    return (await this.compose('ps', '--services', '--status', 'running')).split('\n').includes(service)
  }
}

function nodeOf({ Id, State, Config, NetworkSettings, HostConfig }: Inspected): NodeContainer | undefined {
  const id = valueIn(Config.Env, 'BALSA_ID')
  if (id === undefined || Config.Labels[SERVICE] === undefined) return undefined
  const port = (valueIn(Config.Env, 'BALSA_LISTEN') ?? '').split(':').at(-1)
  const [binding] = HostConfig.PortBindings?.[`${port}/tcp`] ?? []
  return {
    id,
    container: Id,
    state: State.Status,
    pid: State.Pid,
    exitCode: State.ExitCode,
    addresses: Object.values(NetworkSettings.Networks)
      .map(({ IPAddress }) => IPAddress)
      .filter((address) => address !== ''),
    published: binding ? `${binding.HostIp || '127.0.0.1'}:${binding.HostPort}` : undefined,
  }
}

function valueIn(env: readonly string[], name: string): string | undefined {
  return env.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1)
}
