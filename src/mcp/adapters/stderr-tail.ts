/**
 * The last of a child's error output, for the operator who asks why a server does not start. It is bounded, holds no control
 * characters, and known secrets (the values of the variables the child was given) and what looks like a token are blotted
 * out: a server that prints its environment must not carry it into our view.
 */
import { mcpLimits } from '../limits.ts'

export interface StderrTail {
  add(chunk: Buffer): void
  text(): string
}

/** Shorter values occur by chance and blotting them out would make the rest unreadable. */
const shortestSecret = 6
/** `Bearer …`, and long runs without a space that hold letters and digits, as keys and tokens do. */
const tokenLike = /\b(?:bearer\s+\S+|(?=[\w+/=.-]*\d)(?=[\w+/=.-]*[A-Za-z])[\w+/=-]{24,}|(?:sk|ak|pk|ghp|xoxb)[-_]\S+)/gi

export function createStderrTail(secrets: readonly string[]): StderrTail {
  const known = secrets.filter((secret) => secret.length >= shortestSecret)
  let kept = Buffer.alloc(0)
  return {
    add(chunk) {
      const joined = Buffer.concat([kept, chunk.subarray(-mcpLimits.stderrTailBytes)])
      kept = Buffer.from(joined.subarray(-mcpLimits.stderrTailBytes))
    },
    text() {
      let text = kept.toString('utf8')
      for (const secret of known) text = text.replaceAll(secret, '[redacted]')
      // oxlint-disable-next-line no-control-regex -- terminals obey control characters; that is why they go
      return text.replace(tokenLike, '[redacted]').replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, ' ').trim()
    },
  }
}
