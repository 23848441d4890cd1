import { DISK_FAULTS } from './disk.ts'
import type { Fault } from './fault.ts'
import { NETWORK_FAULTS } from './network.ts'
import { NODE_FAULTS } from './node.ts'
import { PARTITIONS } from './partitions.ts'
import { SESSION_FAULTS } from './session.ts'

/** Everything that can go wrong. The order is part of what a seed means. */
export const FAULTS: readonly Fault[] = Object.freeze([
  ...PARTITIONS,
  ...NETWORK_FAULTS,
  ...NODE_FAULTS,
  ...DISK_FAULTS,
  ...SESSION_FAULTS,
])
