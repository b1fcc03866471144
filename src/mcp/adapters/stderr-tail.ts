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
      return withoutControls(text.replace(tokenLike, '[redacted]')).trim()
    },
  }
}

/** Terminals obey control characters; only tabs and line ends may stay. */
function withoutControls(text: string): string {
  let clean = ''
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    const isControl = (code < 32 && code !== 9 && code !== 10) || (code >= 127 && code < 160)
    clean += isControl ? ' ' : character
  }
  return clean
}
