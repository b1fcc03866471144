/** SIGHUP: by convention, "read your configuration again". Without a listener it would end the process. */
export function onHangup(callback: () => void): () => void {
  process.on('SIGHUP', callback)
  return () => {
    process.off('SIGHUP', callback)
  }
}
