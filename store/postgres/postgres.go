// Package postgres is the store of nodes that share a database: tables and blobs in PostgreSQL.
//
// Several nodes can use one database. Each has a space of its own, found by its name; tables that are named as shared are
// in the space of all. A space has one owner: opening it shuts the one that had it open before out, whose changes are
// refused from then on. So a node that was thought dead cannot write beside its successor.
//
// Every change is one function call in one transaction, so one round trip, and is on disk when it returns, also without
// sync: a node outlives its database, and what it has seen must not be gone when that comes back.
package postgres

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ago/store"
)

//go:embed schema/1.sql
var schema1 string

var schema = []string{schema1}

// Options say where the store is. Zero fields take the defaults.
type Options struct {
	URL         string        // postgres://user:password@host:port/database, or a libpq text; further parameters are sent to the server
	Name        string        // of the space; two nodes on one database need different ones
	Shared      []byte        // first bytes of the keys that all spaces have together
	ReadURL     string        // of a replica that may lag, for Replica; "" if there is none
	Connections int           // at most, besides those of scans; 16
	Scans       int           // connections of scans, at most; as many
	Timeout     time.Duration // of one statement; 30 s. statement_timeout in the URL wins
	Patience    time.Duration // how long a database that restarts is waited for; 20 s
	Log         *slog.Logger
}

// Store is a space of a database, and the space of all beside it. It is safe for concurrent use.
type Store struct {
	pool     *pgxpool.Pool
	scans    *pgxpool.Pool // a scan holds its connection while its reader does other things with the store
	replica  *pgxpool.Pool // nil without one
	shared   []byte
	space    int32
	epoch    int64
	timeout  time.Duration
	patience time.Duration
	log      *slog.Logger
	ctx      context.Context
	stop     context.CancelFunc
	taken    sync.Once

	mu     sync.Mutex
	closed bool
	users  sync.WaitGroup
}

const (
	sharedSpace  = 0
	probeTimeout = 2 * time.Second // of a question whose answer nobody waits long for
)

// Open connects, brings the tables up to date and takes the space over.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Connections == 0 {
		o.Connections = connectionsDefault
	}
	if o.Scans == 0 {
		o.Scans = o.Connections
	}
	if o.Timeout == 0 {
		o.Timeout = timeoutDefault
	}
	if o.Patience == 0 {
		o.Patience = patienceDefault
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{shared: o.Shared, timeout: o.Timeout, patience: o.Patience, log: o.Log}
	s.ctx, s.stop = context.WithCancel(context.Background())
	var err error
	if s.pool, err = connect(o, o.URL, o.Connections); err == nil {
		s.scans, err = connect(o, o.URL, o.Scans)
	}
	if err == nil && o.ReadURL != "" {
		s.replica, err = connect(o, o.ReadURL, o.Scans)
	}
	if err == nil {
		err = s.open(ctx, o.Name)
	}
	if err != nil {
		return nil, errors.Join(Fault(err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, name string) error {
	if err := s.Migrate(ctx, "store", schema); err != nil {
		return err
	}
	return s.Again(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		var durable string
		if err := pool.QueryRow(ctx, `show fsync`).Scan(&durable); err != nil {
			return err
		}
		if durable != "on" {
			s.log.Warn("the database runs with fsync=" + durable + ": what is acknowledged is lost when its machine fails")
		}
		return pool.QueryRow(ctx, `select * from ago_open($1)`, name).Scan(&s.space, &s.epoch)
	})
}

// Owner is what changes in the same database prove that the space is still the caller's: the arguments of ago_owns.
func (s *Store) Owner() (space int32, epoch int64) { return s.space, s.epoch }

// Taken logs once that the space has another owner now, and gives the error for it.
func (s *Store) Taken() error {
	s.taken.Do(func() { s.log.Error("another node has opened this part of the database: nothing is written any more") })
	return ErrTaken
}

// Fault asks the database why the store takes no changes now; nil if it does.
func (s *Store) Fault() error {
	done, err := s.Use()
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(s.ctx, probeTimeout)
	defer cancel()
	var owned bool
	err = s.pool.QueryRow(ctx, `select exists (select 1 from ago_spaces where id = $1 and epoch = $2)`, s.space, s.epoch).Scan(&owned)
	if err == nil && !owned {
		return s.Taken()
	}
	return Fault(err)
}

// Close waits for reads and writes under way.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.users.Wait()
	s.stop()
	for _, pool := range []*pgxpool.Pool{s.pool, s.scans, s.replica} {
		if pool != nil {
			pool.Close()
		}
	}
	return nil
}

// Replica is a copy of the database that may lag behind it, or nil: for what never changes once it is there.
func (s *Store) Replica() *pgxpool.Pool { return s.replica }

// spaceOf is where a key is kept.
func (s *Store) spaceOf(key []byte) int32 {
	if bytes.IndexByte(s.shared, key[0]) >= 0 {
		return sharedSpace
	}
	return s.space
}

// spacesOf are where the keys of a range may be.
func (s *Store) spacesOf(lower, upper []byte) []int32 {
	spaces := []int32{}
	add := func(space int32) {
		if !slices.Contains(spaces, space) {
			spaces = append(spaces, space)
		}
	}
	last := byte(0xff)
	if len(upper) > 0 {
		if last = upper[0]; len(upper) == 1 {
			last-- // not above 0: callers pass no range that ends before the first table
		}
	}
	for table := int(lower[0]); table <= int(last); table++ {
		add(s.spaceOf([]byte{byte(table)}))
	}
	return spaces
}

// Get reads one row.
func (s *Store) Get(key []byte) ([]byte, error) {
	done, err := s.Use()
	if err != nil {
		return nil, err
	}
	defer done()
	if len(key) == 0 || key[0] == store.TableFormat {
		return nil, store.ErrNotFound
	}
	var value []byte
	err = s.Again(s.ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		return pool.QueryRow(ctx, `select value from ago_rows where space = $1 and key = $2`, s.spaceOf(key), key).Scan(&value)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, store.ErrNotFound
	}
	return value, Fault(err)
}

// Rows of the first and of the further pages of a scan.
const (
	pageFirst = 64
	pageNext  = 512
)

// Scan reads pages of one snapshot. A scan that ends with its first page holds no connection while its rows are looked at.
func (s *Store) Scan(lower, upper []byte, reverse bool) iter.Seq2[store.Pair, error] {
	return func(yield func(store.Pair, error) bool) {
		done, err := s.Use()
		if err != nil {
			yield(store.Pair{}, err)
			return
		}
		defer done()
		from := lower
		if len(from) == 0 || from[0] == store.TableFormat {
			from = []byte{store.TableFormat + 1} // behind the store's own table
		}
		if upper != nil && bytes.Compare(upper, from) <= 0 {
			return
		}
		sc := &scan{s: s, lower: from, upper: upper, reverse: reverse, spaces: s.spacesOf(from, upper)}
		defer sc.end()
		var page []store.Pair
		err = s.Again(s.ctx, func(ctx context.Context, _ *pgxpool.Pool) (err error) {
			page, err = sc.begin(ctx)
			return err
		})
		for err == nil {
			for _, p := range page {
				if !yield(p, nil) {
					return
				}
			}
			if sc.tx == nil {
				return
			}
			page, err = sc.next(page[len(page)-1].Key)
		}
		yield(store.Pair{}, Fault(err))
	}
}

// scan is a transaction that reads a range. tx is nil when there is no further page.
type scan struct {
	s            *Store
	lower, upper []byte
	reverse      bool
	spaces       []int32
	conn         *pgxpool.Conn
	tx           pgx.Tx
}

func (sc *scan) query(limit int) (string, []any) {
	sql := `select key, value from ago_rows where space = $1 and key >= $2`
	args := []any{sc.spaces[0], sc.lower, limit}
	if len(sc.spaces) > 1 {
		sql = `select key, value from ago_rows where space = any($1) and key >= $2`
		args[0] = sc.spaces
	}
	if sc.upper != nil {
		sql += ` and key < $4`
		args = append(args, sc.upper)
	}
	if len(sc.spaces) > 1 { // rows of another space under a key that is not shared are not meant
		sql += ` and (space = 0) = (get_byte(key, 0) = any($5))`
		if sc.upper == nil {
			sql += ` and $4::bytea is null`
			args = append(args, nil)
		}
		tables := make([]int32, len(sc.s.shared))
		for i, b := range sc.s.shared {
			tables[i] = int32(b)
		}
		args = append(args, tables)
	}
	if sc.reverse {
		return sql + ` order by key desc limit $3`, args
	}
	return sql + ` order by key limit $3`, args
}

// begin reads the first page in the round trip that begins the transaction.
func (sc *scan) begin(ctx context.Context) ([]store.Pair, error) {
	conn, err := sc.s.scans.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	sc.conn = conn
	if sc.tx, err = conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}); err != nil {
		sc.end()
		return nil, err
	}
	page, err := sc.read(ctx, pageFirst)
	if err != nil {
		sc.end()
	}
	return page, err
}

func (sc *scan) next(last []byte) ([]store.Pair, error) {
	if sc.reverse {
		sc.upper = last
	} else {
		sc.lower = append(slices.Clone(last), 0)
	}
	ctx, cancel := context.WithTimeout(sc.s.ctx, sc.s.timeout+connectTimeout)
	defer cancel()
	return sc.read(ctx, pageNext)
}

func (sc *scan) read(ctx context.Context, limit int) ([]store.Pair, error) {
	sql, args := sc.query(limit)
	rows, err := sc.tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p store.Pair, err error) {
		return p, row.Scan(&p.Key, &p.Value)
	})
	if err == nil && len(page) < limit {
		sc.end()
	}
	return page, err
}

func (sc *scan) end() {
	if sc.tx != nil {
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		defer cancel()
		_ = sc.tx.Rollback(ctx) // nothing was written; a connection that is still in a transaction is not given to others
	}
	if sc.conn != nil {
		sc.conn.Release()
	}
	sc.conn, sc.tx = nil, nil
}

// Apply makes all of the batch durable in one round trip, or nothing. It is repeated while the database restarts: a batch says
// what its keys hold afterwards, so that twice is the same as once.
func (s *Store) Apply(b *store.Batch, _ bool) error {
	if err := b.Check(); err != nil {
		return err
	}
	done, err := s.Use()
	if err != nil {
		return err
	}
	defer done()
	if b.Len() == 0 {
		return nil
	}
	args := append([]any{s.space, s.epoch}, s.Changes(b)...)
	var owned bool
	err = s.Again(s.ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		return pool.QueryRow(ctx, `select ago_change($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, args...).Scan(&owned)
	})
	if err == nil && !owned {
		return s.Taken()
	}
	return Fault(err)
}

var (
	_ store.Store = (*Store)(nil)
)
