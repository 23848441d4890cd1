import type { LogIndex, LogPosition, NodeId, Term } from '../raft/types.ts'
import { Reader, Writer } from './protobuf.ts'

/** The record that every batch of the log store rewrites (message LogState of raft.proto). */
export interface LogState {
  /** Grows by one with each synced batch. */
  readonly batchNumber: number
  readonly currentTerm: Term
  /** Whom this node voted for in `currentTerm`. */
  readonly votedFor: NodeId | undefined
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
  readonly lastChecksum: number
  /** Where the newest configuration entry stands. 0: the initial members are in force. */
  readonly membershipIndex: LogIndex
  readonly stateDirectory: string
  /** The entry before `firstIndex`; (0, 0, 0) until the log is compacted. */
  readonly boundary: LogPosition
}

/** Encodes the log's state. Throws a WireError where a number is not a whole one between 0 and 2^53 − 1. */
export function encodeLogState(state: LogState): Uint8Array {
  const writer = new Writer(128)
  writer.optionalUint(1, state.batchNumber)
  writer.optionalUint(2, state.currentTerm)
  writer.optionalString(3, state.votedFor ?? '')
  writer.optionalUint(4, state.firstIndex)
  writer.optionalUint(5, state.lastIndex)
  writer.optionalFixed32(6, state.lastChecksum)
  writer.optionalUint(7, state.membershipIndex)
  writer.optionalString(8, state.stateDirectory)
  writer.optionalUint(9, state.boundary.index)
  writer.optionalUint(10, state.boundary.term)
  writer.optionalFixed32(11, state.boundary.checksum)
  return writer.finish()
}

/** Decodes the log's state. Throws a WireError for what is none. */
export function decodeLogState(bytes: Uint8Array): LogState {
  const reader = new Reader(bytes)
  const boundary = { index: 0, term: 0, checksum: 0 }
  const state = {
    batchNumber: 0,
    currentTerm: 0,
    votedFor: undefined as NodeId | undefined,
    firstIndex: 0,
    lastIndex: 0,
    lastChecksum: 0,
    membershipIndex: 0,
    stateDirectory: '',
    boundary,
  }
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    switch (tag) {
      case 0x08:
        state.batchNumber = reader.uint()
        break
      case 0x10:
        state.currentTerm = reader.uint()
        break
      case 0x1a:
        state.votedFor = reader.string() || undefined
        break
      case 0x20:
        state.firstIndex = reader.uint()
        break
      case 0x28:
        state.lastIndex = reader.uint()
        break
      case 0x35:
        state.lastChecksum = reader.fixed32()
        break
      case 0x38:
        state.membershipIndex = reader.uint()
        break
      case 0x42:
        state.stateDirectory = reader.string()
        break
      case 0x48:
        boundary.index = reader.uint()
        break
      case 0x50:
        boundary.term = reader.uint()
        break
      case 0x5d:
        boundary.checksum = reader.fixed32()
        break
      default:
        reader.skip(tag)
    }
  }
  return state
}
