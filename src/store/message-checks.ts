/**
 * What a message and a request to the queue must be, checked once for all engines. A message that breaks a limit is
 * refused as `invalid`, since its payload comes from outside; a request that does is our own mistake and an assertion.
 */
import assert from 'node:assert'
import { assertKey } from './key-order.ts'
import { storeLimits } from './limits.ts'
import type { ClaimRequest, Message, QueueOptions } from './message-queue.ts'
import { stateValueText } from './state-store.ts'

/** The payload as engines keep it. */
export function checkedPayload(message: Message): string {
  assertKey('id', message.id)
  assertInstant('enqueuedAtMs', message.enqueuedAtMs)
  assertInstant('expiresAtMs', message.expiresAtMs)
  assertInstant('deadlineMs', message.deadlineMs)
  assert(Number.isInteger(message.maxDeliveries) && message.maxDeliveries >= 1, `maxDeliveries: ${message.maxDeliveries} is not a whole number from 1`)
  return stateValueText(message.payload)
}

export function assertInstant(name: string, instantMs: number): void {
  assert(instantMs > -8.64e15 && instantMs < 8.64e15, `${name}: ${instantMs} is not an instant`)
}

export function assertClaim({ leaseMs }: ClaimRequest): void {
  assertLease(leaseMs)
}

export function assertLease(leaseMs: number): void {
  assert(leaseMs >= 1 && leaseMs <= storeLimits.leaseMs, `leaseMs: ${leaseMs} is not in [1, ${storeLimits.leaseMs}]`)
}

export function assertDelay(delayMs: number): void {
  assert(delayMs >= 0 && delayMs <= storeLimits.delayMs, `delayMs: ${delayMs} is not in [0, ${storeLimits.delayMs}]`)
}

export function assertPage(limit: number): void {
  assert(Number.isInteger(limit) && limit >= 1 && limit <= storeLimits.endedPerCall, `limit: ${limit} is not in [1, ${storeLimits.endedPerCall}]`)
}

export function queueOptions(options: Partial<QueueOptions> | undefined): QueueOptions {
  const maxDepth = options?.maxDepth ?? storeLimits.queueDepth
  const reservedClaimEvery = options?.reservedClaimEvery ?? storeLimits.reservedClaimEvery
  assert(Number.isInteger(maxDepth) && maxDepth >= 1, `maxDepth: ${maxDepth} is not a whole number from 1`)
  assert(Number.isInteger(reservedClaimEvery) && (reservedClaimEvery === 0 || reservedClaimEvery >= 2), `reservedClaimEvery: ${reservedClaimEvery} is neither 0 nor a whole number from 2`)
  return { maxDepth, reservedClaimEvery }
}
