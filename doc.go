// Package clicknps is a client of two Net Promoter Score services: ClickNPS and SalesOS NPS Surveys.
package clicknps
