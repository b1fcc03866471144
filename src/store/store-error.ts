/**
 * Why a store cannot do what was asked, in words that an operator can act on. Both ports reject with it and with nothing
 * else: what SQLite or Redis say is mapped to a reason in one file per engine, and kept as `cause` for the log.
 *
 * Outcomes that a caller must expect (a full queue, a lost lease, a condition that did not hold) are values of the ports.
 */
export const storeFaults = [
  /** The engine cannot be reached or did not answer in time: whether the call was carried out is not known; later may work. */
  'unavailable',
  /** Another process holds the file. */
  'locked',
  /** The file is not a database or is damaged. */
  'corrupt',
  /** The file was written by a newer version of the program. */
  'newer_schema',
  /** The file or its folder may not be written. */
  'read_only',
  /** The disk, the server's memory or a limit of the engine is used up. */
  'full',
  /** The key, value or message is outside the port's limits. */
  'invalid',
  /** The store was closed. */
  'closed',
] as const
export type StoreFault = (typeof storeFaults)[number]

export class StoreError extends Error {
  readonly fault: StoreFault

  /** @param message one sentence that says what to mend; it holds no value that a client sent. */
  constructor(fault: StoreFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StoreError'
    this.fault = fault
  }
}
