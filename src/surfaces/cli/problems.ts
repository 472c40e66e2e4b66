import { ERROR_CODES } from '../../domain/errors.js'
import { printable } from '../../domain/printable.js'
import type { VaultProblem } from '../../domain/vault.js'
import type { Style } from './style.js'

/** Exit status of a check that found something. */
export const PROBLEMS_FOUND: number = ERROR_CODES.vault_corrupt

/** A problem as JSON has it. */
export function problemToJson({ code, message, record }: VaultProblem): Record<string, unknown> {
  return { code, message, ...(record === undefined ? {} : { record }) }
}

/** Problems for people, one a line. */
export function renderProblems(problems: readonly VaultProblem[], style: Style): string {
  return problems
    .map(({ code, message }) => `${style.bad('✗')} ${printable(message)} ${style.dim(`(${code})`)}`)
    .join('\n')
}

/** Whether somebody may have put back what is remembered of the use of accounts, and of nothing else. */
export function isOfState({ code }: VaultProblem): boolean {
  return code === 'state_rolled_back' || code === 'state_term' || code.startsWith('chain_')
}

/** Whether somebody may have put another state of the vault in its place, or cut its audit: its owner must say. */
export function isDisputed({ code }: VaultProblem): boolean {
  return code === 'vault_rolled_back' || code === 'vault_tampered' || code.startsWith('audit_')
}
