/**
 * For commands that serve until they are told to stop: resolves at the first SIGINT or SIGTERM. A second one does not
 * wait for an orderly end, as somebody who presses Ctrl-C twice expects.
 */
import type { Terminal } from './terminal.ts'

export async function untilStopped(terminal: Terminal, stop: () => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => {
    let signals = 0
    const stopListening = terminal.onSignal(['SIGINT', 'SIGTERM'], () => {
      signals += 1
      if (signals === 1) {
        terminal.err('hybrid-routing: stopping; what runs is finished first (again to stop at once)\n')
        resolve()
      } else {
        stopListening()
        process.exit(1)
      }
    })
  })
  await stop()
}
