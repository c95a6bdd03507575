import {
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  RevokeSecurityGroupEgressCommand,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2';
import type { EC2Client } from '@aws-sdk/client-ec2';

/**
 * Takes all rules from the security group that every VPC has and that CloudFormation cannot change: nothing uses it, and
 * what is put into it by mistake must reach nothing (Security Hub's control EC2.2).
 */
export async function emptyDefaultSecurityGroup(ec2: EC2Client, vpcId: string): Promise<void> {
  const Filters = [
    { Name: 'vpc-id', Values: [vpcId] },
    { Name: 'group-name', Values: ['default'] },
  ];
  const { SecurityGroups = [] } = await ec2.send(new DescribeSecurityGroupsCommand({ Filters }));
  for (const { GroupId = '' } of SecurityGroups) {
    const ofGroup = [{ Name: 'group-id', Values: [GroupId] }];
    const { SecurityGroupRules = [] } = await ec2.send(
      new DescribeSecurityGroupRulesCommand({ Filters: ofGroup }),
    );
    for (const { SecurityGroupRuleId = '', IsEgress } of SecurityGroupRules) {
      const rule = { GroupId, SecurityGroupRuleIds: [SecurityGroupRuleId] };
      await (IsEgress
        ? ec2.send(new RevokeSecurityGroupEgressCommand(rule))
        : ec2.send(new RevokeSecurityGroupIngressCommand(rule)));
    }
  }
}
