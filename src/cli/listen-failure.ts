/** Why a port could not be opened, in words and with what to do. Apart from the commands, so that none loads another's parts. */
import { CommandFailure, exitCode } from './terminal.ts'

export function listenFailure(error: unknown, port: number): CommandFailure {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  if (code === 'EADDRINUSE') return new CommandFailure(`port ${port} is taken: stop what listens there, or name another with --port`, exitCode.failed, error)
  if (code === 'EACCES') return new CommandFailure(`port ${port} may not be opened by this user: name one above 1023 with --port`, exitCode.failed, error)
  return new CommandFailure(`the port ${port} cannot be opened (${code === '' ? String(error) : code})`, exitCode.failed, error)
}
