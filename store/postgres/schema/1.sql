-- Rows of a store. A space is the part of one node; space 0 is that of all nodes.
create table ago_spaces (
  id    int generated always as identity primary key,
  name  text not null unique,
  epoch bigint not null default 0  -- only the node that opened the space last may change its rows
);

create table ago_rows (
  space int not null,
  key   bytea not null,
  value bytea not null,
  primary key (space, key)
) with (toast_tuple_target = 8160);  -- most messages stay in their row
alter table ago_rows alter column value set storage external;  -- compressing costs more than the disk

-- Large byte strings by their SHA-256, in parts.
create table ago_blobs (
  space int not null,
  id    bytea not null,
  size  bigint not null,
  primary key (space, id)
);

create table ago_parts (
  space int not null,
  id    bytea not null,
  part  int not null,
  data  bytea not null,
  primary key (space, id, part)
);
alter table ago_parts alter column data set storage external;

-- ago_open gives the space of a name to the caller and shuts its earlier owner out. It waits for changes under way.
create function ago_open(p_name text, out space int, out epoch bigint) language plpgsql as $$
begin
  insert into ago_spaces (name) values (p_name) on conflict (name) do nothing;
  select s.id into space from ago_spaces s where s.name = p_name;
  perform pg_advisory_xact_lock(1095192400, space);
  update ago_spaces s set epoch = s.epoch + 1 where s.id = space returning s.epoch into epoch;
end $$;

-- ago_owns tells whether the caller is still the one who opened the space, and keeps that so until the end of the transaction.
create function ago_owns(p_space int, p_epoch bigint) returns boolean language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(1095192400, p_space);
  return exists (select 1 from ago_spaces s where s.id = p_space and s.epoch = p_epoch);
end $$;

-- ago_change deletes ranges, then rows, then sets rows: a batch, in one transaction. It gives false, and changes nothing,
-- for one who does not own the space any more.
create function ago_change(
  p_space int, p_epoch bigint,
  p_range_space int[], p_lower bytea[], p_upper bytea[],
  p_gone_space int[], p_gone bytea[],
  p_set_space int[], p_key bytea[], p_value bytea[]
) returns boolean language plpgsql as $$
begin
  if not ago_owns(p_space, p_epoch) then
    return false;
  end if;
  if cardinality(p_lower) > 0 then
    delete from ago_rows r using unnest(p_range_space, p_lower, p_upper) as d(space, lower, upper)
      where r.space = d.space and r.key >= d.lower and r.key < d.upper;
  end if;
  if cardinality(p_gone) > 0 then
    delete from ago_rows r using unnest(p_gone_space, p_gone) as d(space, key) where r.space = d.space and r.key = d.key;
  end if;
  if cardinality(p_key) > 0 then
    insert into ago_rows (space, key, value) select * from unnest(p_set_space, p_key, p_value)
      on conflict (space, key) do update set value = excluded.value;
  end if;
  return true;
end $$;
