"""Service Quotas of EC2 and FSx, which moto does not have: it knows those of VPC alone.

Codes and names are AWS's; the values are those of a middling account, so that large clusters meet them.
"""

import sys

from moto.servicequotas import responses
from moto.servicequotas.models import ServiceQuotasBackend

QUOTAS = {
    "ec2": [
        ("L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 5000),
        ("L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 5000),
        ("L-F7808C92", "Running On-Demand HPC instances", 5000),
        ("L-DB2E81BA", "Running On-Demand G and VT instances", 64),
        ("L-3819A6DF", "All G and VT Spot Instance Requests", 64),
        ("L-417A185B", "Running On-Demand P instances", 0),
        ("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests", 0),
    ],
    # These codes are the stand-in's own: the product goes by the names.
    "fsx": [
        ("L-00000001", "Lustre Persistent_2 file systems", 100),
        ("L-00000002", "Lustre Persistent_2 SSD storage capacity", 100800),
    ],
}


def list_service_quotas(self) -> str:
    """All on one page, as AWS does with this many."""
    code = responses.json.loads(self.body)["ServiceCode"]
    return responses.json.dumps(
        {
            "Quotas": [
                {
                    "ServiceCode": code,
                    "QuotaCode": quota,
                    "QuotaName": name,
                    "Value": float(value),
                    "Unit": "None",
                    "Adjustable": True,
                    "GlobalQuota": False,
                }
                for quota, name, value in QUOTAS.get(code, [])
            ]
        }
    )


if hasattr(responses.ServiceQuotasResponse, "list_service_quotas") or not hasattr(
    ServiceQuotasBackend, "get_service_quota"
):
    sys.exit("this version of moto is not the one that this launcher was written for")
responses.ServiceQuotasResponse.list_service_quotas = list_service_quotas
