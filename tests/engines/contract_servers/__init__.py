"""Fakes that speak the protocols of engines which do not run here. For tests only: what they answer is made up."""

from tests.engines.contract_servers.servers import ContractServer, serving

__all__ = ["ContractServer", "serving"]
