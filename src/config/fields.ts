/**
 * The vocabulary in which the configuration's schema is written: TypeBox types with what each field must say of itself
 * (description, unit, default, bounds, reload class). One description of a field then serves validation, the TypeScript
 * type, the published JSON Schema, the defaults and the reference page (`schema.ts` says which file makes which).
 *
 * The builders know nothing of any field. What JSON Schema has no word for is kept under `x-` names: `published-schema.ts`
 * takes them out again, so that a strict validator accepts the published document.
 *
 * A field whose default depends on a time scale is `null`: it then follows the matrix (`derived-limits.ts`).
 */
import { Type, type TEnum, type TInteger, type TNumber, type TObject, type TProperties, type TSchema, type TString } from 'typebox'

/** Whether a changed value takes effect at once, or only in a new process. */
export type ReloadClass = 'restart' | 'live'

export interface Annotations {
  readonly description: string
  readonly reload: ReloadClass
  readonly default?: unknown
}

export interface NumberAnnotations extends Annotations {
  /** `ms`, `bytes`, `share (0 to 1)`, or what is counted. */
  readonly unit: string
  readonly minimum: number
  readonly maximum: number
}

export interface TextAnnotations extends Annotations {
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  /** What the pattern allows, in words: the end of the sentence `"x" is not …`. */
  readonly form?: string
  /** Never shown in a message, a log or an answer. */
  readonly secret?: boolean
  /** The file may only name the environment variable that holds it. */
  readonly environmentOnly?: boolean
}

/** The schema as the reader, the differ and the generators walk it: what the builders below can produce, and no more. */
export interface SchemaNode {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null'
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly items?: SchemaNode
  readonly minItems?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: readonly string[]
  readonly patternProperties?: Readonly<Record<string, SchemaNode>>
  readonly anyOf?: readonly SchemaNode[]
  readonly oneOf?: readonly SchemaNode[]
  readonly 'x-reload'?: ReloadClass
  readonly 'x-unit'?: string
  readonly 'x-form'?: string
  readonly 'x-secret'?: true
  readonly 'x-environment-only'?: true
}

/** Texts are bounded even where nothing is said: a file of one line of a megabyte is not a name. */
const longestText = 4_096
const longestList = 1_000

export function whole(annotations: NumberAnnotations): TInteger {
  return Type.Integer(numberOptions(annotations))
}

export function real(annotations: NumberAnnotations): TNumber {
  return Type.Number(numberOptions(annotations))
}

export function share(annotations: Annotations): TNumber {
  return real({ ...annotations, unit: 'share (0 to 1)', minimum: 0, maximum: 1 })
}

export function text(annotations: TextAnnotations): TString {
  const { form, secret, environmentOnly, minLength, maxLength, pattern } = annotations
  return Type.String({
    ...common(annotations),
    minLength: minLength ?? 1,
    maxLength: maxLength ?? longestText,
    ...(pattern === undefined ? {} : { pattern }),
    ...(form === undefined ? {} : { 'x-form': form }),
    ...(secret === true || environmentOnly === true ? { 'x-secret': true } : {}),
    ...(environmentOnly === true ? { 'x-environment-only': true } : {}),
  })
}

export function flag(annotations: Annotations): ReturnType<typeof Type.Boolean> {
  return Type.Boolean(common(annotations))
}

export function choice<const Values extends string[]>(values: readonly [...Values], annotations: Annotations): TEnum<Values> {
  return Type.Enum(values, common(annotations))
}

/** The member by which the variants of a union are told apart. */
export function tag<const Value extends string>(value: Value, description: string): ReturnType<typeof Type.Literal<Value>> {
  return Type.Literal(value, { description, 'x-reload': 'restart' })
}

/** The type, or `null`; the annotations move to the pair. */
export function orNull<Inner extends TSchema>(inner: Inner, annotations: Annotations): ReturnType<typeof Type.Union<[Inner, ReturnType<typeof Type.Null>]>> {
  return Type.Union([inner, Type.Null()], common(annotations))
}

/** Variants, each an object: told apart by a `tag` member, or by the member that only one of them requires. */
export function oneOf<const Variants extends TSchema[]>(variants: [...Variants], annotations: Annotations): ReturnType<typeof Type.Union<Variants>> {
  return Type.Union(variants, common(annotations))
}

export function list<Item extends TSchema>(
  item: Item,
  annotations: Annotations & { readonly minItems?: number; readonly maxItems?: number },
): ReturnType<typeof Type.Array<Item>> {
  return Type.Array(item, { ...common(annotations), minItems: annotations.minItems ?? 0, maxItems: annotations.maxItems ?? longestList })
}

/** Members with free names. */
export function named<Value extends TSchema>(
  value: Value,
  annotations: Annotations & { readonly names: { readonly pattern: string; readonly form: string } },
): ReturnType<typeof Type.Record<TString, Value>> {
  const { pattern, form } = annotations.names
  return Type.Record(Type.String({ pattern }), value, {
    ...common(annotations),
    'x-form': form,
    additionalProperties: false,
  })
}

/** Members with fixed names and no others. */
export function group<Properties extends TProperties>(
  properties: Properties,
  annotations: Annotations & { readonly oneOf?: readonly SchemaNode[] },
): TObject<Properties> {
  return Type.Object(properties, {
    ...common(annotations),
    additionalProperties: false,
    ...(annotations.oneOf === undefined ? {} : { oneOf: annotations.oneOf }),
  })
}

/** A group that is taken as it stands by default when the file does not mention it: each member has its own default. */
export function section<Properties extends TProperties>(description: string, properties: Properties): TObject<Properties> {
  return Type.Object(properties, { description, default: {}, additionalProperties: false })
}

export const optional = Type.Optional

function numberOptions(annotations: NumberAnnotations): Record<string, unknown> {
  return { ...common(annotations), minimum: annotations.minimum, maximum: annotations.maximum, 'x-unit': annotations.unit }
}

function common(annotations: Annotations): Record<string, unknown> {
  return {
    description: annotations.description,
    ...(annotations.default === undefined ? {} : { default: annotations.default }),
    'x-reload': annotations.reload,
  }
}
