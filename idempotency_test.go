package clicknps_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	w := newWire(reply(201, golden(t, "survey.json")))
	client := w.client(t)
	create := func(opts ...clicknps.RequestOption) (sent string, meta clicknps.CallInfo) {
		_, err := client.Surveys.Create(t.Context(), &clicknps.SurveyCreateParams{Name: "n", Question: "q"}, append(opts, clicknps.WithCallInfo(&meta))...)
		require.NoError(t, err)
		header := w.sent()[len(w.sent())-1].Header["Idempotency-Key"]
		require.Len(t, header, 1)
		return header[0], meta
	}
	random, meta := create()
	assert.Equal(t, random, meta.IdempotencyKey)
	another, _ := create()
	assert.NotEqual(t, random, another)
	for _, key := range []string{"k", strings.Repeat("k", 255), "unique-key-123", "a b~!", clicknps.NewIdempotencyKey(), clicknps.DeriveIdempotencyKey("order", "7")} {
		sent, meta := create(clicknps.WithIdempotencyKey(key))
		assert.Equal(t, key, sent)
		assert.Equal(t, key, meta.IdempotencyKey)
	}
}

// Programs keep derived keys: they must stay as they are.
func TestDeriveIdempotencyKey(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "4026e50338197c148f61f38e85a4256d7c764741223ce45365a780a8a3ca51cd", clicknps.DeriveIdempotencyKey("survey", "42"))
	seen := map[string][]string{}
	for _, parts := range [][]string{{"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}, {"", "abc"}, {""}, {"", ""}, {"c", "ab"}, {"\xff"}, {"�"}} {
		key := clicknps.DeriveIdempotencyKey(parts...)
		assert.Equal(t, key, clicknps.DeriveIdempotencyKey(parts...))
		assert.Len(t, key, 64)
		assert.Nil(t, seen[key], "%q and %q have the same key", parts, seen[key])
		seen[key] = parts
	}
}
