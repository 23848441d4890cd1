/** `balsa/server`: run a node inside a process of one's own. */
export { resolveConfig } from './config.ts'
export type { ConfigFile, ConfigSources, NodeConfig, ResolvedConfig } from './config.ts'
export { startNode } from './node.ts'
export type { NodeOptions, RunningNode } from './node.ts'
export {
  BrokenInvariantError,
  ConfigurationError,
  DamagedDataError,
  DiskError,
  DiskFullError,
} from '../errors.ts'
export { StopError, WrongDirectoryError } from '../errors.ts'
