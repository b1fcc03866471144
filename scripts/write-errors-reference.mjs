// Writes docs/errors.md from the problem catalogue; a test fails while the file differs.
import { writeFileSync } from 'node:fs'
import { errorsMarkdown } from '../src/http/problem-reference.ts'

writeFileSync(new URL('../docs/errors.md', import.meta.url), errorsMarkdown())
