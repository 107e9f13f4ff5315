"""The commands of ``lossagent``, a page each."""
