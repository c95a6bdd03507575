import { judgeUpdates, type UpdateReport } from '../pcluster-update-judge.ts';
import { type Verdict, validateClusterConfigurations } from '../pcluster-validator.ts';

/** One finding of ParallelCluster about a configuration. */
export type Finding = Verdict['findings'][number];

/** Judges a configuration; an empty list means valid. */
export type ValidateConfiguration = (clusterName: string, configuration: object) => Promise<Finding[]>;

/** ParallelCluster's own schema, from the real package in the virtual environment `venv`. */
export function pclusterSchemaValidation(venv: string): ValidateConfiguration {
  return async (clusterName, configuration) => {
    const verdicts = await validateClusterConfigurations([JSON.stringify(configuration)], {
      venv,
      mode: 'schema',
      clusterName,
    });
    return verdicts.flatMap(({ findings }) => findings);
  };
}

/** Judges a change of a configuration while nodes may run. */
export type JudgeUpdate = (before: object, after: object) => Promise<UpdateReport>;

/** ParallelCluster's own update policies, from the real package in the virtual environment `venv`. */
export function pclusterUpdatePolicies(venv: string): JudgeUpdate {
  return async (before, after) => {
    const [report] = await judgeUpdates([[before, after]], venv);
    if (report === undefined) throw new TypeError('one pair gets one report');
    return report;
  };
}
