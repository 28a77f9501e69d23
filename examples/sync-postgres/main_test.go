package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/clicknpstest"
)

// startPostgres starts a PostgreSQL of the test's own on a unix socket, with the tables of schema.sql.
func startPostgres(t *testing.T) (url string, db *pgx.Conn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg") // not t.TempDir: the path of a socket has at most 107 bytes
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	var asUser []string
	if os.Getuid() == 0 { // PostgreSQL does not run as root
		require.NoError(t, exec.CommandContext(t.Context(), "chown", "postgres:", dir).Run())
		asUser = []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin") // Debian keeps them out of PATH
	require.NoError(t, err)
	require.NotEmpty(t, found, "this test needs PostgreSQL: apt-get install postgresql")
	command := func(name string, args ...string) *exec.Cmd {
		args = slices.Concat(asUser, []string{filepath.Join(slices.Max(found), name)}, args)
		cmd := exec.CommandContext(context.Background(), args[0], args[1:]...)
		cmd.Dir = dir
		return cmd
	}
	data := filepath.Join(dir, "data")
	out, err := command("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N").CombinedOutput()
	require.NoError(t, err, "%s", out)
	server := command("postgres", "-D", data, "-k", dir, "-h", "", "-F")
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt) // ends connections, then the server
		_ = server.Wait()
	})
	url = "postgres://postgres@/postgres?host=" + dir
	require.Eventually(t, func() bool {
		db, err = pgx.Connect(t.Context(), url)
		return err == nil
	}, 30*time.Second, 5*time.Millisecond)
	t.Cleanup(func() { db.Close(context.Background()) })
	schema, err := os.ReadFile("schema.sql")
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), string(schema))
	require.NoError(t, err)
	return url, db
}

// row is what the table shows of a response.
type row struct{ ID, Subject, Comment string }

func rows(t *testing.T, db *pgx.Conn) []row {
	t.Helper()
	result, err := db.Query(t.Context(), "SELECT id, subject_id, comment FROM responses ORDER BY id")
	require.NoError(t, err)
	all, err := pgx.CollectRows(result, pgx.RowToStructByPos[row])
	require.NoError(t, err)
	return all
}

// want is the state of the fake.
func want(srv *clicknpstest.Server) (all []row) {
	for _, r := range srv.Responses() {
		all = append(all, row{r.ID, r.SubjectID, r.Comment})
	}
	slices.SortFunc(all, func(a, b row) int { return strings.Compare(a.ID, b.ID) })
	return all
}

func TestMirror(t *testing.T) {
	url, db := startPostgres(t)
	srv := clicknpstest.Run(t)
	client := srv.Client()
	survey := srv.AddSurvey(clicknps.Survey{Name: "Onboarding", Question: "Would you recommend us?"})
	add := func(from, to int) {
		for i := from; i < to; i++ {
			srv.AddResponse(clicknps.Response{SurveyID: survey.ID, SubjectID: fmt.Sprintf("user_%d", i), Score: i % 11})
		}
	}
	sync := func(full bool, n int) {
		t.Helper()
		got, err := mirror(t.Context(), client, db, full)
		require.NoError(t, err)
		assert.Equal(t, n, got)
	}
	add(0, 450)
	sync(false, 450)
	assert.Equal(t, want(srv), rows(t, db))
	sync(false, 0)
	add(450, 720)

	// An outage in the middle: what was read before is kept, and the next run goes on there.
	fault := srv.Inject(clicknpstest.Fault{Method: "GET", Path: "/responses", Status: 403, After: 2, Times: 9})
	got, err := mirror(t.Context(), client, db, false)
	require.ErrorIs(t, err, clicknps.ErrForbidden)
	assert.Positive(t, fault.Hits())
	assert.Len(t, rows(t, db), 450+got)
	srv.ClearFaults()
	sync(false, 270-got)
	assert.Equal(t, want(srv), rows(t, db))

	// A change before the bookmark is found by a full run. A newer comment by webhook is kept.
	_, err = client.Responses.AddComment(t.Context(), srv.Responses()[3].ID, &clicknps.CommentParams{Comment: "Great"})
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), `UPDATE responses SET comment = 'newer', updated_at = now() + interval '1 hour'
		WHERE subject_id = 'user_5'`)
	require.NoError(t, err)
	sync(false, 0)
	sync(true, 720)
	expected := want(srv)
	expected[slices.IndexFunc(expected, func(r row) bool { return r.Subject == "user_5" })].Comment = "newer"
	assert.Equal(t, expected, rows(t, db))

	// The whole program; the bookmark's responses are gone.
	for _, r := range srv.Responses()[700:] {
		srv.RemoveResponse(r.ID)
	}
	add(720, 730)
	for name, value := range map[string]string{
		"DATABASE_URL": url, "CLICKNPS_API_KEY": srv.APIKey(), "CLICKNPS_BASE_URL": srv.URL(),
	} {
		t.Setenv(name, value)
	}
	var out strings.Builder
	require.NoError(t, run(t.Context(), false, &out))
	assert.Equal(t, "710 responses\n", out.String())
}
