package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"ago/fault"
	"ago/store"
)

const (
	connectionsDefault = 16
	patienceDefault    = 20 * time.Second
	timeoutDefault     = 30 * time.Second
	connectTimeout     = 5 * time.Second
	keepAlive          = 10 * time.Second
	pauseMin           = 20 * time.Millisecond
	pauseMax           = time.Second
)

// ErrTaken is the cause of what a store answers whose part of the database was opened by another node.
var ErrTaken error = fault.New(fault.Unavailable, "store-taken", "another node has opened this part of the database").
	WithHint("two nodes on one database need names of their own; restart this one to take its part back")

// settings are what every connection asks for. All statements look rows up by a key or walk along an index, which a planner
// without statistics of a young table does not always see.
var settings = map[string]string{
	"application_name":                    "ago",
	"synchronous_commit":                  "on",
	"enable_seqscan":                      "off",
	"enable_hashjoin":                     "off",
	"enable_mergejoin":                    "off",
	"enable_bitmapscan":                   "off",
	"plan_cache_mode":                     "force_generic_plan",
	"jit":                                 "off",
	"client_min_messages":                 "warning",
	"default_transaction_isolation":       "read committed",
	"idle_in_transaction_session_timeout": "600000", // a scan that nobody goes on with
}

func connect(o Options, url string, most int) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		f := fault.New(fault.Malformed, "settings-malformed", "the address of the database")
		f.Cause = err
		return nil, f.WithHint("write it like postgres://USER:PASSWORD@HOST/DATABASE")
	}
	for name, value := range settings {
		if _, given := c.ConnConfig.RuntimeParams[name]; !given {
			c.ConnConfig.RuntimeParams[name] = value
		}
	}
	switch v := c.ConnConfig.RuntimeParams["synchronous_commit"]; v {
	case "on", "remote_apply":
	default:
		return nil, fault.New(fault.Malformed, "settings-malformed", "synchronous_commit=%s loses what was acknowledged", v).
			WithHint("leave synchronous_commit out of the address of the database")
	}
	if _, given := c.ConnConfig.RuntimeParams["statement_timeout"]; !given {
		c.ConnConfig.RuntimeParams["statement_timeout"] = strconv.FormatInt(o.Timeout.Milliseconds(), 10)
	}
	c.MaxConns = int32(most)
	c.ConnConfig.ConnectTimeout = connectTimeout
	c.ConnConfig.DialFunc = (&net.Dialer{KeepAlive: keepAlive}).DialContext
	pool, err := pgxpool.NewWithConfig(context.Background(), c)
	return pool, Fault(err)
}

// Fault puts an error of the database into the words of the store.
func Fault(err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	f := fault.New(fault.Unavailable, "database-unreachable", "the database does not answer")
	f.Cause = err
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return f.WithHint("check that PostgreSQL runs and that the address of the database is right")
	}
	f.Code, f.Text = "database-refused", "the database refused"
	switch pg.Code {
	case "53100":
		f.Code = "disk-full"
		return f.WithHint("free space on the disk of the database")
	case "57014":
		return f.WithHint("the statement took longer than its time limit: look for locks and for a slow disk of the database")
	case "28P01", "28000":
		return f.WithHint("check user and password in the address of the database, and pg_hba.conf")
	case "3D000":
		return f.WithHint("make the database first: createdb NAME")
	case "42501":
		return f.WithHint("the user needs the right to make tables and functions in the schema: grant create, usage on schema public to USER")
	case "25006":
		return f.WithHint("the database is a standby or read-only: name the primary, or several hosts with target_session_attrs=read-write")
	}
	return f
}

// RolledBack tells whether the database itself said that a statement failed, so that nothing of it was stored.
func RolledBack(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		// What ends a connection may come after the commit.
		return pg.SeverityUnlocalized == "ERROR"
	}
	var dial *pgconn.ConnectError
	return errors.As(err, &dial) || pgconn.SafeToRetry(err)
}

// passing tells whether an error goes away by itself: a database that restarts or fails over, a deadlock.
func passing(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "40001", "40P01", "53300", "57P01", "57P02", "57P03", "25006":
			return true
		}
		return strings.HasPrefix(pg.Code, "08")
	}
	var told *fault.Error
	return !errors.Is(err, context.Canceled) && !errors.As(err, &told)
}

// Again calls until it succeeds, the error is not one that goes away by itself, or the patience of the store is over. For
// calls that may be repeated: the outcome of a call that failed may be unknown, see RolledBack.
func (s *Store) Again(ctx context.Context, call func(context.Context, *pgxpool.Pool) error) error {
	pause, began := pauseMin, time.Now()
	for {
		limited, cancel := context.WithTimeout(ctx, s.timeout+connectTimeout)
		err := call(limited, s.pool)
		cancel()
		if err == nil {
			return nil
		}
		if cause := ctx.Err(); cause != nil {
			return cause
		}
		if errors.Is(err, pgx.ErrNoRows) || !passing(err) || time.Since(began) > s.patience {
			return err
		}
		var pg *pgconn.PgError
		if !errors.As(err, &pg) {
			s.pool.Reset() // the other connections have gone the same way
		}
		s.log.Debug("the database is asked again", "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, pauseMax)
	}
}

// migrate brings the tables of a part of the program up to date: steps[n] leads from version n to n+1.
func migrate(ctx context.Context, pool *pgxpool.Pool, part string, steps []string) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// Nodes that start together do it one after the other.
		if _, err := tx.Exec(ctx, `set local statement_timeout = 0; select pg_advisory_xact_lock(1095192400, 0);
			create table if not exists ago_schema (part text primary key, version int not null)`); err != nil {
			return err
		}
		version := 0
		err := tx.QueryRow(ctx, `select version from ago_schema where part = $1`, part).Scan(&version)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if version > len(steps) {
			return fault.New(fault.Unsupported, "store-format", "the tables of the database have version %d of %s, this program knows version %d",
				version, part, len(steps)).WithHint("use the release of the program that wrote the database last")
		}
		for i, step := range steps[version:] {
			if _, err := tx.Exec(ctx, step); err != nil {
				return fmt.Errorf("step %d of the tables of %s: %w", version+i+1, part, err)
			}
		}
		_, err = tx.Exec(ctx, `insert into ago_schema values ($1, $2) on conflict (part) do update set version = excluded.version`, part, len(steps))
		return err
	})
}

// Migrate brings further tables in the same database up to date, those of a part of the program that stands on the store:
// steps[n] leads from version n to n+1. A step that was published never changes.
func (s *Store) Migrate(ctx context.Context, part string, steps []string) error {
	return Fault(s.Again(ctx, func(ctx context.Context, pool *pgxpool.Pool) error { return migrate(ctx, pool, part, steps) }))
}

// Use keeps the store open until done is called.
func (s *Store) Use() (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	s.users.Add(1)
	return s.users.Done, nil
}
