"""Import contract: a room's private modules are imported only from inside that room."""

from importlinter import Contract, ContractCheck, fields, output


class PrivateToRoom(Contract):
    """`rooftree.<room>.<private>` may be imported by `rooftree.<room>.*` and by the composition roots."""

    root = fields.StringField()
    private = fields.SetField(subfield=fields.StringField())
    composition_roots = fields.SetField(subfield=fields.StringField())
    no_rooms = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph, verbose):  # noqa: ARG002 - import-linter calls it so
        broken = []
        for imported in sorted(graph.modules):
            parts = imported.split(".")
            if len(parts) < 3 or parts[0] != self.root or parts[2] not in self.private:
                continue
            if parts[1] in (self.no_rooms or ()):
                continue
            room = ".".join(parts[:2])
            broken += [
                (importer, imported)
                for importer in sorted(graph.find_modules_that_directly_import(imported))
                if not importer.startswith(room + ".") and importer not in self.composition_roots
            ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check):
        for importer, imported in check.metadata["broken"]:
            output.print_error(f"{importer} reaches into {imported}")
