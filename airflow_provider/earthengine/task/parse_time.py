"""An operator's literal fields are checked while its DAG file is parsed.

Whoever writes ``layout="coq"`` reads so in the list of import errors, not in the log of a task.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator
from airflow.sdk.definitions.mappedoperator import MappedOperator, OperatorPartial

from airflow_provider.earthengine.exceptions import DownloadParamsError

# With any of these, other text than usual is a template, and nothing is known to be a literal.
_DELIMITERS = frozenset(
    {"variable_start_string", "block_start_string", "comment_start_string",
     "line_statement_prefix", "line_comment_prefix"}
)  # fmt: skip


class LiteralFieldError(DownloadParamsError, AirflowFailException):
    """A literal can never be right.

    It is the import error of a DAG file. A mapped task is made on its worker, where the same error
    fails it without a retry.
    """


class ParseTimeChecks(BaseOperator):
    """Base of operators whose literal fields are checked while the DAG file is parsed."""

    checked_fields: ClassVar[Sequence[str]] = ()
    required_fields: ClassVar[Sequence[str]] = ()
    # What Airflow shows of a mapped task instead of its number, unless the DAG says otherwise.
    default_map_index_template: ClassVar[str | None] = None

    @classmethod
    def check_fields(cls, fields: Mapping[str, Any]) -> None:
        """Raise if a literal can never be right.

        :param fields: those of ``checked_fields`` that are given, by name; others are unknown.
        :raises DownloadParamsError: if one cannot.
        """
        raise NotImplementedError

    @classmethod
    def check_given(cls, fields: Mapping[str, Any]) -> None:
        """Check fields that are given before there is an operator, such as those of a decorator.

        :raises LiteralFieldError: if one can never be right.
        """
        with _failing_at_parse_time():
            cls.check_fields(_among(cls.checked_fields, fields))

    def check_literals(self) -> None:
        """Check the operator's own fields, at the end of ``__init__``.

        :raises LiteralFieldError: if one can never be right.
        """
        fields = {name: getattr(self, name) for name in self.checked_fields}
        has_dag = self.has_dag()  # type: ignore[no-untyped-call]  # Airflow's
        if _has_usual_templates(self.dag if has_dag else None):
            with _failing_at_parse_time():
                self.check_fields(fields)

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """Return the operator to be expanded; it is checked when it is."""
        if cls.default_map_index_template is not None:
            kwargs.setdefault("map_index_template", cls.default_map_index_template)
        made: OperatorPartial = super().partial(**kwargs)
        made.__class__ = CheckedPartial
        return made


class CheckedPartial(OperatorPartial):
    """A partial operator that checks the literals that it is expanded over.

    It has no state of its own: Airflow makes the partial, and only its class is changed.
    """

    __slots__ = ()

    def expand(self, **mapped_kwargs: Any) -> MappedOperator:
        """Return the mapped operator; each value is checked with the fixed fields."""
        operator = super().expand(**mapped_kwargs)
        names = {*self.kwargs, *mapped_kwargs}
        self._check({}, names)
        for name, values in mapped_kwargs.items():
            for value in values if isinstance(values, list | tuple) else ():
                self._check({name: value}, names)
        return operator

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """Return the mapped operator; each dict is checked with the fixed fields."""
        operator = super().expand_kwargs(kwargs, strict=strict)
        for fields in kwargs if isinstance(kwargs, list | tuple) else ():
            if isinstance(fields, Mapping):
                self._check(fields, {*self.kwargs, *fields})
        return operator

    def _check(self, fields: Mapping[str, Any], names: Iterable[str]) -> None:
        """Check the fields together with the fixed ones, and that none is missing.

        :param names: of all fields that a task will have.
        """
        cls: Any = self.operator_class
        dag, defaults = self.kwargs.get("dag"), self._defaults()
        if not _has_usual_templates(dag):
            return
        missing = [name for name in cls.required_fields if name not in {*names, *defaults}]
        with _failing_at_parse_time():
            if missing:
                raise DownloadParamsError(
                    f"{', '.join(missing)} is missing; pass it to partial, or expand over it.",
                    field=missing[0],
                )
            cls.check_fields(_among(cls.checked_fields, {**self.kwargs, **fields}))

    def _defaults(self) -> set[str]:
        """Return the fields that the DAG or a task group has defaults for."""
        place: Any = self.kwargs.get("task_group")
        names = set(getattr(self.kwargs.get("dag"), "default_args", None) or {})
        while place is not None:
            names |= set(getattr(place, "default_args", None) or {})
            place = getattr(place, "parent_group", None)
        return names


@contextmanager
def _failing_at_parse_time() -> Iterator[None]:
    try:
        yield
    except DownloadParamsError as error:
        message = f"DownloadParamsError: {error.message}"
        raise LiteralFieldError(message, server_text=error.server_text, **error.facts) from None


def _among(names: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _has_usual_templates(dag: Any) -> bool:
    options = getattr(dag, "jinja_environment_kwargs", None) or {}
    return not _DELIMITERS & set(options)
