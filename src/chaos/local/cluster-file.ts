import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FaultsError } from '../faults-error.ts'

/** A node as `cluster.json` tells of it. */
export interface LocalNode {
  readonly id: string
  /** Null: it could not be started. */
  readonly pid: number | null
  readonly clientAddress: string
  readonly dataDir: string
  readonly restartCommand: string
}

/** What `balsa cluster start` says of itself in its directory. */
export interface LocalClusterFile {
  /** Where its relay is told what to do; undefined: it was started without `--relay`. */
  readonly control: string | undefined
  readonly nodes: readonly LocalNode[]
}

/**
 * Reads `DIR/cluster.json`, whose form is public.
 * @throws FaultsError where there is none or it is something else
 */
export function readLocalCluster(dir: string): LocalClusterFile {
  const path = join(dir, 'cluster.json')
  let content: unknown
  try {
    content = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new FaultsError(
        `there is no cluster in ${dir} (${path} is missing): start one with \`balsa cluster start --relay\`, ` +
          'or name its directory with --dir',
      )
    }
    throw new FaultsError(`${path} cannot be read: ${(error as Error).message}`)
  }
  const { nodes, control } = (content ?? {}) as { nodes?: unknown; control?: unknown }
  if (!Array.isArray(nodes) || nodes.length === 0 || !nodes.every(isNode)) {
    throw new FaultsError(`${path} is not what \`balsa cluster start\` writes`)
  }
  return { nodes, control: typeof control === 'string' ? control : undefined }
}

function isNode(value: unknown): value is LocalNode {
  const node = value as Partial<Record<keyof LocalNode, unknown>> | null
  const texts = [node?.id, node?.clientAddress, node?.dataDir, node?.restartCommand]
  return (
    texts.every((text) => typeof text === 'string') && (node!.pid === null || typeof node!.pid === 'number')
  )
}
