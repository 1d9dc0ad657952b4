"""How many errors a collection has that is too large to check in full, with a valid interval.

    population = population_of("outputs/06_mass_infer")
    audit = draw_audit("outputs/06_mass_infer", population, count=200)  # what a person checks
    certificate = certify(audit, decisions, population)
    print(certificate.sentence)

The interval holds whatever the model's probabilities are worth, since every flag was drawn with a
known probability. They only make it narrower.
"""

from glmocr_utils.evaluation.certificate.audit import (
    Audit,
    AuditedUnit,
    draw_audit,
    load_audit,
    open_audit,
    results_of,
    save_audit,
)
from glmocr_utils.evaluation.certificate.certificate import (
    Certificate,
    CheckedUnit,
    PageEstimate,
    certify,
    load_certificate,
    save_certificate,
    verify,
)
from glmocr_utils.evaluation.certificate.population import Population, population_of

__all__ = [
    "Audit",
    "AuditedUnit",
    "Certificate",
    "CheckedUnit",
    "PageEstimate",
    "Population",
    "certify",
    "draw_audit",
    "load_audit",
    "load_certificate",
    "open_audit",
    "population_of",
    "results_of",
    "save_audit",
    "save_certificate",
    "verify",
]
