"""Settings of the processes: flags win over `MONAZITE_...` environment variables, which win over the defaults."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class StackSettings(BaseSettings):
    """Where the broker, Redis and the run directory are."""

    model_config = SettingsConfigDict(env_prefix="MONAZITE_", extra="ignore")

    bootstrap: str = Field(default="127.0.0.1:9092", description="Kafka bootstrap servers, HOST:PORT[,HOST:PORT]")
    redis: str = Field(default="redis://127.0.0.1:6379/0", description="address of Redis")
    prefix: str = Field(default="monazite", description="prefix of all topic names")
    partitions: int = Field(default=4, ge=1, le=256, description="partitions of the topics of the road")
    run_directory: Path = Field(default=Path(".monazite"), description="state of the local stack, logs, keys")
    gateway: str = Field(default="http://127.0.0.1:8320", description="address of the gateway")
    console: str = Field(default="http://127.0.0.1:8321", description="address of the console")
