import type { ChannelOptions } from '@grpc/grpc-js'
import type { Clock } from '../clock.ts'
import type { DialOptions } from '../rpc/dialed-stream.ts'
import { MAX_MESSAGE_BYTES } from '../wire/message-size.ts'

/** What may be under way to a node that does not read yet, in bytes (HTTP/2's own 64 KiB would be a round trip each). */
export const PEER_WINDOW_BYTES = 4 * 1024 * 1024

/**
 * Both ends ask whether the other one lives, so that a dead connection that nobody resets (a paused process,
 * dropped packets) is found within one and a half election time-outs.
 */
function commonOptions(electionMs: number): ChannelOptions {
  return {
    'grpc.keepalive_time_ms': Math.ceil(electionMs / 2),
    'grpc.keepalive_timeout_ms': electionMs,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.enable_channelz': 0,
  }
}

/** Options of the gRPC server that listens on the peer port. `electionMs`: the election time-out, in milliseconds. */
export function peerServerOptions(electionMs: number): ChannelOptions {
  return commonOptions(electionMs)
}

/**
 * How a stream to a peer is dialled. `electionMs`: the election time-out, in milliseconds. When to dial again is for the
 * transport to decide.
 */
export function peerDialOptions(electionMs: number, clock: Clock): DialOptions {
  return {
    maxMessageBytes: MAX_MESSAGE_BYTES,
    windowBytes: PEER_WINDOW_BYTES,
    keepalive: { everyMs: Math.ceil(electionMs / 2), timeoutMs: electionMs, clock },
  }
}

/** Options of a channel to a peer, for what is not a stream of the transport: requests that are passed on. */
export function peerChannelOptions(electionMs: number): ChannelOptions {
  return {
    ...commonOptions(electionMs),
    'grpc-node.flow_control_window': PEER_WINDOW_BYTES,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.initial_reconnect_backoff_ms': Math.min(electionMs, 100),
    'grpc.min_reconnect_backoff_ms': Math.min(electionMs, 100),
    'grpc.max_reconnect_backoff_ms': electionMs,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
  }
}
