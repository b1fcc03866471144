/**
 * Writes what is made from the configuration's schema: the reference page and the published JSON Schema. Run it after a
 * change of the schema: `node src/config/adapters/generate-reference.ts`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { publishedSchemaText } from '../published-schema.ts'
import { referencePage } from '../reference-page.ts'

export interface GeneratedFile {
  readonly path: string
  readonly text: string
}

export function generatedFiles(): readonly GeneratedFile[] {
  const docs = fileURLToPath(new URL('../../../docs/', import.meta.url))
  return [
    { path: `${docs}configuration.md`, text: referencePage() },
    { path: `${docs}hybrid-routing.schema.json`, text: publishedSchemaText() },
  ]
}

export function readGenerated(file: GeneratedFile): string {
  return readFileSync(file.path, 'utf8')
}

if (import.meta.main) {
  for (const file of generatedFiles()) writeFileSync(file.path, file.text)
}
