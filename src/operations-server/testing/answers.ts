/**
 * What a tool that needs no model answers.
 */
import type { Answer } from '../../operation/converse.ts'
import type { ExecutionEnd } from '../execution.ts'

/** A complete answer of one text. */
export const answerOf = (text: string): Answer => ({ message: { role: 'assistant', content: [{ text }] }, stopReason: 'end_turn', usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 } })

/** The end of an execution with that answer. */
export const answered = (text: string): ExecutionEnd => ({ kind: 'answer', answer: answerOf(text) })
