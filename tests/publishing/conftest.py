from hub_fixture import hub as hub
