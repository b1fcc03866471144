/**
 * `hybrid-routing emulator`: the AWS emulator alone, until it is stopped.
 */
import { loadFaultFile } from '../emulator/adapters/fault-file.ts'
import { createEmulator } from '../emulator/emulator.ts'
import { createSystemClock } from '../runtime/clock.ts'
import { listenFailure } from './listen-failure.ts'
import { CommandFailure, exitCode, type ExitCode, type Terminal } from './terminal.ts'
import { untilStopped } from './until-stopped.ts'

export interface EmulatorCommandOptions {
  readonly port: number
  readonly faults?: string
}

export async function emulatorCommand(options: EmulatorCommandOptions, terminal: Terminal): Promise<ExitCode> {
  const faults = options.faults === undefined ? undefined : await readFaults(options.faults)
  const emulator = createEmulator({ clock: createSystemClock(), port: options.port, ...(faults === undefined ? {} : { faults }) })
  try {
    await emulator.listen()
  } catch (error) {
    throw listenFailure(error, options.port)
  }
  terminal.out(
    [
      `The AWS emulator listens on ${emulator.url} (access key, secret and bearer key: emulator; any region).`,
      '',
      `  AWS_ENDPOINT_URL_BEDROCK_RUNTIME=${emulator.url} AWS_ACCESS_KEY_ID=emulator AWS_SECRET_ACCESS_KEY=emulator YOUR-PROGRAM`,
      `  curl ${emulator.url}/_emulator/faults`,
      '',
    ].join('\n'),
  )
  await untilStopped(terminal, () => emulator.close())
  return exitCode.done
}

async function readFaults(path: string): Promise<unknown> {
  try {
    return await loadFaultFile(path)
  } catch (error) {
    throw new CommandFailure(error instanceof Error ? error.message : String(error), exitCode.failed, error)
  }
}
