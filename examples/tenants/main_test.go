package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

func TestScores(t *testing.T) {
	t.Setenv("CLICKNPS_API_KEY", "sk_live_of_somebody_else") // is not used
	var out strings.Builder
	require.NoError(t, run(t.Context(), nil, &out))
	assert.Equal(t, ""+
		"acme     NPS -48 from 40 responses, 59 of 60 requests left in 1m0s,"+
		" 999 of 1000 requests left in 1h0m0s\n"+
		"globex   NPS -46 from 80 responses, 599 of 600 requests left in 1m0s,"+
		" 9999 of 10000 requests left in 1h0m0s\n"+
		"initech  NPS -45 from 120 responses\n", out.String())
}

func TestOneTenantFails(t *testing.T) {
	t.Parallel()
	tenants, transport := fakes()
	tenants.tenants["globex"] = tenant{Name: "globex", Key: "sk_test_withdrawn"}
	var out strings.Builder
	err := printScores(t.Context(), newClients(tenants.find, transport), append(tenants.names, "nobody"), &out)
	require.ErrorIs(t, err, clicknps.ErrUnauthorized)
	assert.ErrorContains(t, err, "tenant globex: ")
	assert.ErrorContains(t, err, `there is no tenant "nobody"`)
	assert.NotContains(t, err.Error(), "sk_test_withdrawn")
	assert.Equal(t, 2, strings.Count(out.String(), "\n"))
}

// A tenant without a key gets an error, and not somebody else's key.
func TestNoKey(t *testing.T) {
	t.Setenv("CLICKNPS_API_KEY", "sk_test_acme")
	_, transport := fakes()
	tenants := newDirectory(tenant{Name: "initech"})
	_, err := score(t.Context(), newClients(tenants.find, transport), "initech")
	require.Error(t, err)
}

func TestChangedKeyAndPlan(t *testing.T) {
	t.Parallel()
	tenants, transport := fakes()
	c := newClients(tenants.find, transport)
	first, err := c.get(t.Context(), "acme")
	require.NoError(t, err)
	tenants.tenants["acme"] = tenant{"acme", "sk_test_wrong", clicknps.PlanFree}
	_, err = first.Surveys.List(t.Context(), nil)
	require.ErrorIs(t, err, clicknps.ErrUnauthorized)

	tenants.tenants["acme"] = tenant{"acme", "sk_test_acme", clicknps.PlanFree}
	_, err = first.Surveys.List(t.Context(), nil)
	require.NoError(t, err, "the key is read again after a 401")
	second, err := c.get(t.Context(), "acme")
	require.NoError(t, err)
	assert.Same(t, first, second)

	tenants.tenants["acme"] = tenant{"acme", "sk_test_acme", clicknps.PlanPro}
	third, err := c.get(t.Context(), "acme")
	require.NoError(t, err)
	quotas, err := third.Quotas(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 600, quotas[0].Limit)

	tenants.tenants["acme"] = tenant{"acme", "sk_test_acme", clicknps.Plan{PerHour: -1}}
	_, err = c.get(t.Context(), "acme")
	require.ErrorIs(t, err, clicknps.ErrInvalidParams)
	assert.ErrorContains(t, err, "tenant acme: ")
}

// A client lives an hour after its last use, because its quota does.
func TestIdleClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tenants, transport := fakes()
		c := newClients(tenants.find, transport)
		get := func(name string) *clicknps.Client {
			client, err := c.get(t.Context(), name)
			require.NoError(t, err)
			return client
		}
		acme := get("acme")
		<-time.After(time.Hour)
		require.Same(t, acme, get("acme"))
		<-time.After(time.Hour)
		get("globex")
		require.Same(t, acme, get("acme"))
		<-time.After(time.Hour + 1)
		get("globex")
		require.Len(t, c.kept, 1)
		require.NotSame(t, acme, get("acme"))
	})
}

// Many jobs of one tenant share one client, and so one quota.
func TestConcurrentJobs(t *testing.T) {
	t.Parallel()
	tenants, transport := fakes()
	c := newClients(tenants.find, transport)
	var wg sync.WaitGroup
	got := make([]*clicknps.Client, 20)
	for i := range got {
		wg.Go(func() { got[i], _ = c.get(t.Context(), "acme") })
	}
	wg.Wait()
	for _, client := range got {
		require.NotNil(t, client)
		require.Same(t, got[0], client)
	}
}

func TestTenantsFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tenants.json")
	text := `[{"name":"a","key":"k","plan":{"PerMinute":1,"PerHour":2}}]`
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	d, err := readTenants(file)
	require.NoError(t, err)
	found, err := d.find(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, tenant{"a", "k", clicknps.Plan{PerMinute: 1, PerHour: 2}}, found)

	require.NoError(t, os.WriteFile(file, []byte(`{`), 0o600))
	require.ErrorContains(t, run(t.Context(), []string{"-tenants", file}, io.Discard), file)
	require.ErrorIs(t, run(t.Context(), []string{"-tenants", "none.json"}, io.Discard), os.ErrNotExist)
	away := errors.New("the database is away")
	c := newClients(func(context.Context, string) (tenant, error) { return tenant{}, away }, newTransport())
	_, err = c.get(t.Context(), "a")
	require.ErrorIs(t, err, away)
}
