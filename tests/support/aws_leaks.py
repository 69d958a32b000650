"""Leaks of every kind in a simulated AWS account: what a colony that was not ended leaves there."""

from __future__ import annotations

import json
from itertools import count

_NUMBER = count(1)
_IMAGES = []
_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    }
)


class Leaks:
    """Everything of one owner, made with `tags`; `kinds` says what `seed` makes."""

    def __init__(self, session, tags, name="demo"):
        self.session = session
        self.tags = tags
        self.name = name
        self.made = {}
        self._clients = {}

    def seed(self, sorts=("machines", "groups", "load_balancers", "eks", "identity", "logs")):
        """A network, and one of each kind of these sorts; ids by kind."""
        self._network()
        for sort in sorted(sorts):
            getattr(self, f"_{sort}")()
        return self.made

    def _client(self, name):
        if name not in self._clients:
            self._clients[name] = self.session.client(name)
        return self._clients[name]

    @property
    def _pairs(self):
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def _spec(self, kind):
        return [{"ResourceType": kind, "Tags": self._pairs}] if self.tags else []

    def _unique(self, what):
        return f"{self.name}-{what}-{next(_NUMBER)}"

    def _network(self):
        ec2, made = self._client("ec2"), self.made
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=self._spec("vpc"))
        made["vpc"] = vpc = vpc["Vpc"]["VpcId"]
        made["subnet"] = self._subnet(vpc, 0)
        made["subnet-b"] = self._subnet(vpc, 1)
        gateway = ec2.create_internet_gateway(TagSpecifications=self._spec("internet-gateway"))
        made["internet-gateway"] = gateway["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(VpcId=vpc, InternetGatewayId=made["internet-gateway"])
        table = ec2.create_route_table(VpcId=vpc, TagSpecifications=self._spec("route-table"))
        made["route-table"] = table["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=made["route-table"], SubnetId=made["subnet"])
        made["security-group"] = self._group(vpc)
        made["security-group-b"] = self._group(vpc, open_to=made["security-group"])
        address = ec2.allocate_address(Domain="vpc", TagSpecifications=self._spec("elastic-ip"))
        made["elastic-ip"] = address["AllocationId"]
        nat = ec2.create_nat_gateway(
            SubnetId=made["subnet"],
            AllocationId=made["elastic-ip"],
            TagSpecifications=self._spec("natgateway"),
        )
        made["natgateway"] = nat["NatGateway"]["NatGatewayId"]
        card = ec2.create_network_interface(
            SubnetId=made["subnet-b"],
            Groups=[made["security-group"]],
            TagSpecifications=self._spec("network-interface"),
        )
        made["network-interface"] = card["NetworkInterface"]["NetworkInterfaceId"]

    def _subnet(self, vpc, number):
        made = self._client("ec2").create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.0.{number}.0/24",
            AvailabilityZone=f"us-east-1{'ab'[number]}",
            TagSpecifications=self._spec("subnet"),
        )
        return made["Subnet"]["SubnetId"]

    def _group(self, vpc, open_to=None):
        ec2 = self._client("ec2")
        made = ec2.create_security_group(
            GroupName=self._unique("sg"),
            Description="leaked",
            VpcId=vpc,
            TagSpecifications=self._spec("security-group"),
        )["GroupId"]
        if open_to:  # each refers to the other: neither goes while the rule is there
            for group, other in ((made, open_to), (open_to, made)):
                pair = [{"GroupId": other}]
                rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": pair}
                ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        return made

    def _machines(self):
        ec2, made = self._client("ec2"), self.made
        image = self._image()
        template = ec2.create_launch_template(
            LaunchTemplateName=self._unique("lt"),
            LaunchTemplateData={"ImageId": image, "InstanceType": "g5.xlarge"},
            TagSpecifications=self._spec("launch-template"),
        )
        made["launch-template"] = template["LaunchTemplate"]["LaunchTemplateId"]
        spec = self._spec("instance") + self._spec("volume")
        run = ec2.run_instances(
            ImageId=image, InstanceType="g5.xlarge", MinCount=1, MaxCount=1,
            SubnetId=made["subnet"], SecurityGroupIds=[made["security-group"]],
            TagSpecifications=spec,
        )  # fmt: skip
        made["instance"] = run["Instances"][0]["InstanceId"]
        disk = ec2.create_volume(
            AvailabilityZone="us-east-1a", Size=100, TagSpecifications=self._spec("volume")
        )
        made["volume"] = disk["VolumeId"]
        copy = ec2.create_snapshot(
            VolumeId=disk["VolumeId"], TagSpecifications=self._spec("snapshot")
        )
        made["snapshot"] = copy["SnapshotId"]

    def _groups(self):
        """A group of machines; its machines have no tags of it."""
        made = self.made
        scaling, name = self._client("autoscaling"), self._unique("asg")
        template = self._client("ec2").create_launch_template(
            LaunchTemplateName=self._unique("lt"),
            LaunchTemplateData={"ImageId": self._image(), "InstanceType": "g5.xlarge"},
        )["LaunchTemplate"]["LaunchTemplateId"]
        tags = [
            {"ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False,
             **pair} for pair in self._pairs
        ]  # fmt: skip
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=name, MinSize=2, MaxSize=2, VPCZoneIdentifier=made["subnet"],
            LaunchTemplate={"LaunchTemplateId": template}, Tags=tags,
        )  # fmt: skip
        made["group"] = name
        found = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        for number, one in enumerate(found["AutoScalingGroups"][0]["Instances"]):
            made[f"machine-{number}"] = one["InstanceId"]
        self._client("ec2").create_tags(
            Resources=[template], Tags=self._pairs or [{"Key": "k", "Value": "v"}]
        )
        made["launch-template-b"] = template

    def _image(self):
        """The same in every simulated account; the list is long."""
        if not _IMAGES:
            _IMAGES.append(self._client("ec2").describe_images()["Images"][0]["ImageId"])
        return _IMAGES[0]

    def _load_balancers(self):
        made = self.made
        elb, old = self._client("elbv2"), self._client("elb")
        subnets = [made["subnet"], made["subnet-b"]]
        more = {"Tags": self._pairs} if self.tags else {}
        balancer = elb.create_load_balancer(
            Name=self._unique("lb")[-32:], Subnets=subnets, Type="network", **more
        )
        made["load-balancer"] = balancer["LoadBalancers"][0]["LoadBalancerArn"]
        target = elb.create_target_group(
            Name=self._unique("tg")[-32:], Protocol="TCP", Port=80, VpcId=made["vpc"], **more
        )
        made["target-group"] = target["TargetGroups"][0]["TargetGroupArn"]
        elb.create_listener(
            LoadBalancerArn=made["load-balancer"], Protocol="TCP", Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": made["target-group"]}],
        )  # fmt: skip
        listener = {"Protocol": "tcp", "LoadBalancerPort": 80, "InstancePort": 80}
        made["classic"] = self._unique("classic")[-32:]
        old.create_load_balancer(
            LoadBalancerName=made["classic"], Listeners=[listener],
            Subnets=[made["subnet"]], **more,
        )  # fmt: skip

    def _eks(self):
        eks, made = self._client("eks"), self.made
        made["cluster"], made["nodegroup"] = self._unique("eks"), self._unique("gpu")
        role = "arn:aws:iam::123456789012:role/x"
        eks.create_cluster(
            name=made["cluster"], roleArn=role, tags=self.tags,
            resourcesVpcConfig={"subnetIds": [made["subnet"], made["subnet-b"]]},
        )  # fmt: skip
        eks.create_nodegroup(
            clusterName=made["cluster"], nodegroupName=made["nodegroup"], nodeRole=role,
            subnets=[made["subnet"]], instanceTypes=["g5.xlarge"], tags=self.tags,
            scalingConfig={"minSize": 1, "maxSize": 2, "desiredSize": 2},
        )  # fmt: skip

    def _identity(self):
        iam, made = self._client("iam"), self.made
        made["role"], made["instance-profile"] = self._unique("role"), self._unique("profile")
        iam.create_role(RoleName=made["role"], AssumeRolePolicyDocument=_TRUST, Tags=self._pairs)
        iam.put_role_policy(RoleName=made["role"], PolicyName="inline", PolicyDocument=_POLICY)
        iam.create_instance_profile(InstanceProfileName=made["instance-profile"], Tags=self._pairs)
        iam.add_role_to_instance_profile(
            InstanceProfileName=made["instance-profile"], RoleName=made["role"]
        )

    def _logs(self):
        self.made["log-group"] = f"/aws/eks/{self._unique('logs')}/cluster"
        self._client("logs").create_log_group(logGroupName=self.made["log-group"], tags=self.tags)
