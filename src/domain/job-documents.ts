import type { JobView } from './campaign-view.ts';
import { canonicalJson } from './canonical-json.ts';
import type { JobSpec } from './job.ts';
import { shellQuote } from './shell-quote.ts';

/** How a job stands, as one line of JSON, without what is only known after its logs were copied. */
export function infoDocument(view: JobView): string {
  const { logsComplete: _complete, logsProblem: _problem, ...info } = view;
  return `${canonicalJson(info)}\n`;
}

/** The script as it was submitted; a command as words of a shell, although it is run without one. */
export function scriptDocument({ script, command = [] }: JobSpec): string {
  return script ?? `${command.map(shellQuote).join(' ')}\n`;
}
