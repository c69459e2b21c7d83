//! What operators and authors of clients are given beside the program: the OpenAPI documents, the dashboard, the alert rules, the recipes
//! for containers and services, the tables of SECURITY.md. Each is held against the program itself.

mod dashboards;
mod documents;
mod expressions;
mod openapi;
mod openapi_cosigner;
mod openapi_events;
mod programs;
mod recipes;
mod recovery;
mod registrations;
mod streams;
