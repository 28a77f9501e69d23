package main

import (
	"bytes"
	"context"
	"errors"

	clicknps "github.com/clicknps/go-sdk"
)

// salesOS takes the same survey through its life on the other service.
func (t *tour) salesOS(ctx context.Context) error {
	surveys, err := t.client.NPS.List(ctx)
	if t.fake == nil && errors.Is(err, clicknps.ErrMissingCredentials) {
		t.say("SalesOS", "left out: neither SALESOS_TOKEN nor SALESOS_API_KEY is set")
		return nil
	}
	if err != nil {
		return err
	}
	t.say("SalesOS", "%d surveys there", len(surveys))
	if !t.write {
		return t.salesOSMetrics(ctx)
	}
	t.npsSurvey, err = t.client.NPS.Create(ctx, &clicknps.NPSSurveyCreateParams{
		Name: "Quickstart", Question: "How likely are you to recommend us?", Type: clicknps.NPSTransactional,
	})
	if err != nil {
		return err
	}
	t.say("SalesOS", "survey %s created, %s", t.npsSurvey.ID, t.npsSurvey.Type)
	for _, step := range []func(context.Context, string) error{t.salesOSUpdate, t.salesOSToggle, t.salesOSAnswers} {
		if err := step(ctx, t.npsSurvey.ID); err != nil {
			return err
		}
	}
	if err := t.salesOSMetrics(ctx); err != nil {
		return err
	}
	return t.salesOSExport(ctx, t.npsSurvey.ID)
}

func (t *tour) salesOSUpdate(ctx context.Context, id string) error {
	survey, err := t.client.NPS.Update(ctx, id, &clicknps.NPSSurveyUpdateParams{Name: new("Quickstart, renamed")})
	if err != nil {
		return err
	}
	t.say("SalesOS", "renamed to %q", survey.Name)
	return nil
}

func (t *tour) salesOSToggle(ctx context.Context, id string) error {
	before, err := t.client.NPS.Get(ctx, id)
	if err != nil {
		return err
	}
	after, err := t.client.NPS.SetActive(ctx, id, !before.IsActive)
	if err != nil {
		return err
	}
	t.say("SalesOS", "toggled, once: active %v → %v", before.IsActive, after.IsActive)
	return nil
}

// salesOSAnswers lets the fake's customers answer here, too.
func (t *tour) salesOSAnswers(_ context.Context, id string) error {
	if t.fake == nil {
		return nil
	}
	for _, score := range t.ratings {
		t.fake.AddNPSResponse(id, clicknps.NPSResponse{Score: score})
	}
	return nil
}

func (t *tour) salesOSMetrics(ctx context.Context) error {
	m, err := t.client.NPS.Metrics(ctx)
	if err != nil {
		return err
	}
	t.say("SalesOS", "NPS %+.1f from %d responses, average score %.1f", m.Score, m.TotalResponses, m.AverageScore)
	return nil
}

func (t *tour) salesOSExport(ctx context.Context, id string) error {
	var csv bytes.Buffer
	n, err := t.client.NPS.Export(ctx, id, clicknps.ExportCSV, &csv)
	if err != nil {
		return err
	}
	t.say("SalesOS", "exported %d lines, %d bytes of CSV", bytes.Count(csv.Bytes(), []byte("\n")), n)
	return nil
}
