/**
 * What a callback says about itself, and for how long it is tried again. The header `X-Hybrid-Signature` is
 * `t=<seconds>,v1=<hex>`: HMAC-SHA256, keyed with the configured secret, over `<seconds>.<body>`; a receiver that checks the
 * time as well cannot be fooled by an old callback sent again.
 */
export const signatureHeader = 'x-hybrid-signature'

export function signedText(seconds: number, body: string): string {
  return `${seconds}.${body}`
}

export function signatureValue(seconds: number, hex: string): string {
  return `t=${seconds},v1=${hex}`
}

/** ms before the next try: doubled from five seconds to ten minutes, with up to a quarter more so that receivers are not met in step. */
export function retryDelayMs(delivery: number, random: number): number {
  const { least, most, spread } = retries
  return Math.min(most, least * 2 ** (delivery - 1)) * (1 + spread * random)
}

const retries = { least: 5_000, most: 600_000, spread: 0.25 } as const
