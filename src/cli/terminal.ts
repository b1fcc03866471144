/**
 * What a command sees of the outside: streams, environment, signals. Handed in by the entry point, so that a test runs a
 * command as a person would and reads what the person reads.
 */
export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly workingDirectory: string
  out(text: string): void
  err(text: string): void
  /** The whole of standard input. */
  readInput(): Promise<string>
  /** Calls the handler at each of the signals until the returned function is called. */
  onSignal(signals: readonly NodeJS.Signals[], handler: (signal: NodeJS.Signals) => void): () => void
}

/** The contract's exit codes: done, failed, wrong usage. */
export const exitCode = { done: 0, failed: 1, usage: 2 } as const
export type ExitCode = (typeof exitCode)[keyof typeof exitCode]

/** A failure that a command reports as one line on standard error; the line says what to do. */
export class CommandFailure extends Error {
  readonly exitCode: ExitCode

  constructor(message: string, code: ExitCode = exitCode.failed, cause?: unknown) {
    super(message, { cause })
    this.name = 'CommandFailure'
    this.exitCode = code
  }
}
