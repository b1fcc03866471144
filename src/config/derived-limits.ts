/**
 * The time limits that are `null` in the configuration: what they are for an operation. They follow the requirement of the
 * operation's row, so that a matrix scaled down to requirements of 400 ms, or up to minutes, keeps its proportions.
 *
 * The public contract asks for this (part 2); the proportions are ours. Connecting gets a fifth of the requirement, so that
 * a target that does not answer leaves time for another; within 50 ms, below which a handshake across an ocean fails, and
 * 3 s, after which nobody's handshake completes. A stream that is silent for as long as a whole answer may take has stalled.
 */
import type { OperationType } from '../operation/matrix.ts'
import type { Config } from './schema.ts'

export interface DirectTimeouts {
  readonly connectMs: number
  readonly firstByteMs: number
  readonly silenceMs: number
}

const connectShare = 0.2
const shortestConnectMs = 50
const longestConnectMs = 3_000

export function streamSilenceMs(config: Config, type: OperationType): number {
  return config.routing.streamSilenceMs ?? config.routing.matrix[type].latencyMs
}

/** The limits on the progress of one attempt; the operation's deadline bounds it as well. */
export function directTimeouts(config: Config, type: OperationType): DirectTimeouts {
  const { connectMs, firstByteMs, silenceMs } = config.direct.timeouts
  const row = config.routing.matrix[type]
  return {
    connectMs: connectMs ?? Math.min(longestConnectMs, Math.max(shortestConnectMs, row.latencyMs * connectShare)),
    firstByteMs: firstByteMs ?? row.hardTimeoutMs,
    silenceMs: silenceMs ?? streamSilenceMs(config, type),
  }
}
